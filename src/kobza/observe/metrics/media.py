"""Metrics of the media process and of recordings."""

from typing import Final

from kobza.measures import Histogram
from kobza.media.messages import JITTER_BOUNDS, LAG_BOUNDS
from kobza.media.plane import Side
from kobza.observe.metrics.metric import Metric, by_label, one

MEDIA: Final = (
    Metric(
        "kobza_rtp_packets_total",
        "counter",
        "RTP packets that came from phones and trunks (received) and went to them (sent).",
        lambda of: by_label({"received": of.plane.traffic.received, "sent": of.plane.traffic.sent}),
        ("direction",),
    ),
    Metric(
        "kobza_rtp_bytes_total",
        "counter",
        "Bytes of these packets, the RTP header included.",
        lambda of: by_label({"received": of.plane.traffic.received_bytes, "sent": of.plane.traffic.sent_bytes}),
        ("direction",),
    ),
    Metric(
        "kobza_rtp_lost_packets_total",
        "counter",
        "RTP packets lost on the way here, by the gaps in their numbers (received), and on the way to phones, as those"
        " report it by RTCP (sent).",
        lambda of: by_label({"received": of.plane.traffic.lost, "sent": of.plane.traffic.lost_beyond}),
        ("direction",),
    ),
    Metric(
        "kobza_rtp_dropped_packets_total",
        "counter",
        "Packets on media ports that were malformed, came from strangers, or could not be sent.",
        lambda of: one(of.plane.traffic.dropped),
    ),
    Metric(
        "kobza_rtp_jitter_seconds",
        "histogram",
        "How unevenly packets arrive at phones, as those report it by RTCP, in seconds.",
        lambda of: one(Histogram.of(JITTER_BOUNDS, of.plane.traffic.jitter, of.plane.traffic.jitter_total)),
    ),
    Metric(
        "kobza_call_mos",
        "histogram",
        "Opinion scores (E-model, 1 to 4.5) of voices in calls that are over, a value for each leg: as they came from"
        " its phone to us (received), and as that phone heard the other one (sent).",
        lambda of: by_label({way: each.mos for way, each in of.switch.media_events.hearings.ways.items()}),
        ("direction",),
    ),
    Metric(
        "kobza_call_loss_ratio",
        "histogram",
        "Part of these voices' packets that was lost, likewise.",
        lambda of: by_label({way: each.loss for way, each in of.switch.media_events.hearings.ways.items()}),
        ("direction",),
    ),
    Metric(
        "kobza_call_jitter_seconds",
        "histogram",
        "Mean jitter of these voices in seconds: as it was measured here (received), and as phones report it (sent).",
        lambda of: by_label({way: each.jitter for way, each in of.switch.media_events.hearings.ways.items()}),
        ("direction",),
    ),
    Metric(
        "kobza_call_round_trip_seconds",
        "histogram",
        "Mean time from here to the phone of a leg and back, in seconds, as far as the phone's reports tell.",
        lambda of: one(of.switch.media_events.hearings.round_trip),
    ),
    Metric(
        "kobza_calls_one_way_total",
        "counter",
        "How often nothing was heard of a side in a call that was on, while the other side was heard.",
        lambda of: by_label(
            {
                "caller" if side is Side.CALLER else "called": of.switch.media_events.one_way.noticed[side]
                for side in Side
            }
        ),
        ("not_heard",),
    ),
    Metric(
        "kobza_calls_one_way",
        "gauge",
        "Calls that are on in which a side is not heard now.",
        lambda of: one(sum(1 for live in of.switch if live.not_heard)),
    ),
    Metric(
        "kobza_media_lag_seconds",
        "histogram",
        "How late the media process is when it wants to be on time, once a second: so late are packets, in seconds.",
        lambda of: one(Histogram.of(LAG_BOUNDS, of.plane.traffic.lag, of.plane.traffic.lag_total)),
    ),
    Metric(
        "kobza_media_up",
        "gauge",
        "1 while the media process is there and keeps up, so that calls may begin.",
        lambda of: one(of.plane.is_ready),
    ),
    Metric(
        "kobza_media_deaths_total",
        "counter",
        "How often the media process died and was started again; its calls were lost.",
        lambda of: one(of.plane.deaths),
    ),
    Metric(
        "kobza_media_ports",
        "gauge",
        "Pairs of media ports that there are; a call takes two.",
        lambda of: one(of.plane.ports_total),
    ),
    Metric(
        "kobza_media_ports_used",
        "gauge",
        "Pairs of media ports that calls hold.",
        lambda of: one(of.plane.ports_used),
    ),
    Metric(
        "kobza_media_instance_up",
        "gauge",
        "1 while this rtpengine answers, or this one of several media processes is ready; nothing where there is one.",
        lambda of: by_label({each.name: each.is_up for each in of.plane.instances}),
        ("instance",),
    ),
    Metric(
        "kobza_media_instance_calls",
        "gauge",
        "Calls of this server that this rtpengine, or this one of several media processes, carries.",
        lambda of: by_label({each.name: each.calls for each in of.plane.instances}),
        ("instance",),
    ),
    Metric(
        "kobza_recordings_active",
        "gauge",
        "Recordings that are being written.",
        lambda of: one(of.plane.recordings),
    ),
    Metric(
        "kobza_recording_spools_waiting",
        "gauge",
        "Recordings of calls that are over, which wait for the encoder.",
        lambda of: one(of.recordings.spools_waiting),
    ),
    Metric(
        "kobza_recordings_encoded_total",
        "counter",
        "Recordings that the encoder is done with: ready, or failed (the spool is kept).",
        lambda of: by_label({"ready": of.recordings.counts.ready, "failed": of.recordings.counts.failed}),
        ("outcome",),
    ),
    Metric(
        "kobza_recording_encode_seconds",
        "histogram",
        "Time that the encoder took for a recording, in seconds.",
        lambda of: one(of.recordings.counts.encode_seconds),
    ),
    Metric(
        "kobza_recordings_without_room_total",
        "counter",
        "Calls that were not recorded as the disk was nearly full (not_begun), and recordings that ended early (cut).",
        lambda of: by_label({"not_begun": of.recordings.counts.not_begun, "cut": of.recordings.counts.cut}),
        ("what",),
    ),
    Metric(
        "kobza_recordings_room",
        "gauge",
        "Space on the disk of recordings: 0 enough, 1 little, 2 new calls are not recorded, 3 nothing is.",
        lambda of: one(of.space.space),
    ),
    Metric(
        "kobza_recordings_disk_free_bytes",
        "gauge",
        "Bytes free on the disk of recordings; nothing while it cannot be asked.",
        lambda of: [] if of.space.free is None else one(of.space.free),
    ),
    Metric(
        "kobza_recording_uploads_total",
        "counter",
        "Uploads into the bucket: done (and read back), failed (tried again), or refused: the file is not what was"
        " recorded.",
        lambda of: by_label(
            {
                "done": of.uploads.counts.done,
                "failed": of.uploads.counts.failed,
                "refused": of.uploads.counts.refused,
            }
        ),
        ("outcome",),
    ),
    Metric(
        "kobza_recording_upload_bytes_total",
        "counter",
        "Bytes of the recordings that were uploaded.",
        lambda of: one(of.uploads.counts.sent_bytes),
    ),
    Metric(
        "kobza_recording_upload_seconds",
        "histogram",
        "Time that an upload took with reading it back, in seconds.",
        lambda of: one(of.uploads.counts.seconds),
    ),
    Metric(
        "kobza_recording_uploads_waiting",
        "gauge",
        "Recordings that wait for the bucket, counted once a minute.",
        lambda of: one(of.uploads.waiting),
    ),
    Metric(
        "kobza_recording_upload_oldest_seconds",
        "gauge",
        "How long ago the oldest of them was made, in seconds; 0 when none waits.",
        lambda of: one(of.uploads.oldest_age),
    ),
    Metric(
        "kobza_recorded_seconds_total",
        "counter",
        "Seconds of sound in the recordings that are ready.",
        lambda of: one(of.recordings.counts.encoded_seconds),
    ),
)
