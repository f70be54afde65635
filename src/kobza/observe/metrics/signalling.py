"""Metrics of SIP: messages, transactions, sockets."""

from typing import Final

from kobza.observe.metrics.metric import Metric, by_label, one

SIP: Final = (
    Metric(
        "kobza_sip_requests_received_total",
        "counter",
        "SIP requests received, without repeated ones; a method that nobody registered is `other`.",
        lambda of: by_label(of.switch.sip_traffic.requests_received),
        ("method",),
    ),
    Metric(
        "kobza_sip_requests_sent_total",
        "counter",
        "SIP requests sent, each once however often it was repeated.",
        lambda of: by_label(of.switch.sip_traffic.requests_sent),
        ("method",),
    ),
    Metric(
        "kobza_sip_responses_received_total",
        "counter",
        "SIP responses received to requests of ours, by the method of the request; repeated ones included.",
        lambda of: by_label(of.switch.sip_traffic.responses_received),
        ("method", "status"),
    ),
    Metric(
        "kobza_sip_responses_sent_total",
        "counter",
        "SIP responses sent, each once however often it was repeated, by the method of the request.",
        lambda of: by_label(of.switch.sip_traffic.responses_sent),
        ("method", "status"),
    ),
    Metric(
        "kobza_sip_retransmissions_total",
        "counter",
        "SIP messages sent again because nothing came back in time (sent), or that a peer sent again (received).",
        lambda of: by_label({"sent": of.switch.sip_traffic.retransmitted, "received": of.switch.sip_traffic.repeated}),
        ("direction",),
    ),
    Metric(
        "kobza_sip_timeouts_total",
        "counter",
        "SIP transactions that ended because nothing came back at all (timers B, F and H).",
        lambda of: one(of.switch.sip_traffic.timeouts),
    ),
    Metric(
        "kobza_sip_malformed_messages_total",
        "counter",
        "Messages that are no SIP, or in which a header that matters cannot be read.",
        lambda of: one(of.switch.sip_counts.malformed),
    ),
    Metric(
        "kobza_sip_stray_messages_total",
        "counter",
        "SIP responses and ACKs that belong to nothing here.",
        lambda of: one(of.switch.sip_counts.stray),
    ),
    Metric(
        "kobza_sip_overload_refusals_total",
        "counter",
        "SIP requests answered 503 because a bound of transactions or dialogs was reached.",
        lambda of: one(of.switch.sip_counts.refused),
    ),
    Metric(
        "kobza_sip_transactions",
        "gauge",
        "SIP transactions that are alive; one lives up to 32 s after its answer.",
        lambda of: by_label(
            {
                "client": of.switch.sip_counts.client_transactions,
                "server": of.switch.sip_counts.server_transactions,
            }
        ),
        ("side",),
    ),
    Metric(
        "kobza_sip_timers",
        "gauge",
        "Timers of SIP that run: of transactions, sessions and subscriptions; 0 half a minute after the last message.",
        lambda of: one(of.switch.sip_counts.timers),
    ),
    Metric(
        "kobza_sip_subscriptions",
        "gauge",
        "Subscriptions of phones: lamps (dialog), contact lists (presence), mailboxes (message-summary).",
        lambda of: by_label(of.switch.notifier.counts),
        ("package",),
    ),
    Metric(
        "kobza_sip_subscriptions_refused_total",
        "counter",
        "SUBSCRIBE requests beyond the bounds of one device or of one enterprise.",
        lambda of: one(of.switch.notifier.refused),
    ),
    Metric(
        "kobza_sip_subscriptions_waiting",
        "gauge",
        "Subscriptions whose number has changed and that were not told yet: they are told a few at a time.",
        lambda of: one(of.switch.notifier.waiting),
    ),
    Metric(
        "kobza_sip_sockets",
        "gauge",
        "Sockets on which SIP is received.",
        lambda of: one(of.switch.endpoint.sockets),
    ),
    Metric(
        "kobza_sip_tcp_connections",
        "gauge",
        "Connections of SIP over TCP and TLS that are open.",
        lambda of: one(of.switch.endpoint.connections),
    ),
    Metric(
        "kobza_sip_websockets",
        "gauge",
        "WebSockets of SIP that are open, those of the portal's pages included.",
        lambda of: one(of.switch.endpoint.web_sockets),
    ),
    Metric(
        "kobza_sip_send_failures_total",
        "counter",
        "SIP messages that could not be sent: the system refused, or too many connections.",
        lambda of: one(of.switch.endpoint.counters.send_failures),
    ),
    Metric(
        "kobza_sip_dropped_datagrams_total",
        "counter",
        "Datagrams of SIP pushed out of a full send queue.",
        lambda of: one(of.switch.endpoint.dropped),
    ),
    Metric(
        "kobza_sip_refused_total",
        "counter",
        "SIP messages dropped at the door: of a source that is banned, floods, or is a scanner (flood, scanner), of "
        "strangers when there are too many (crowd), of a phone that sends too fast; answers longer than what was asked "
        "(amplifying).",
        lambda of: by_label(of.door.dropped),
        ("reason",),
    ),
    Metric(
        "kobza_sip_wrong_passwords_total",
        "counter",
        "Challenges of ours answered wrongly, wherever from.",
        lambda of: one(of.door.wrong),
    ),
    Metric(
        "kobza_sip_bans",
        "gauge",
        "Sources that are banned now.",
        lambda of: one(of.door.bans.in_force(of.now())),
    ),
    Metric(
        "kobza_sip_known_flows",
        "gauge",
        "Addresses and ports whose device has proven its password lately.",
        lambda of: one(of.door.known),
    ),
    Metric(
        "kobza_hep_sent_total",
        "counter",
        "Copies of SIP messages sent to the collector (hep_server).",
        lambda of: one(of.switch.sip_watch.exported.sent),
    ),
    Metric(
        "kobza_hep_dropped_total",
        "counter",
        "Copies of SIP messages that were lost: the collector is away or too slow.",
        lambda of: one(of.switch.sip_watch.exported.dropped),
    ),
    Metric(
        "kobza_sip_exceptions_total",
        "counter",
        "Faults of the code while it handled a message or a timer; each is in the log with its traceback.",
        lambda of: one(of.switch.endpoint.counters.exceptions),
    ),
)
