"""The media plane that the settings choose."""

import os
import secrets
from pathlib import Path
from typing import Final

from kobza.config.settings import Settings
from kobza.media.embedded import EmbeddedPlane
from kobza.media.observed import ObservedPlane
from kobza.media.rtpengine.plane import RtpenginePlane
from kobza.media.several import SeveralPlanes, shares
from kobza.sdp.webrtc import candidate_hosts

OWNER_FILE: Final = "rtpengine.id"


def make_plane(settings: Settings, *, speed: float, inherited: tuple[int, ...]) -> ObservedPlane:
    """Return the plane, not started. `speed` and `inherited` are as in EmbeddedPlane. Raises OSError.

    On rtpengines the relay's process is there too: it writes the recordings.
    """
    on_rtpengine = settings.media_plane == "rtpengine"
    browsers = settings.webrtc and not on_rtpengine
    count = 1 if on_rtpengine else settings.media_processes
    priority = settings.media_priority
    if priority == "auto" and (on_rtpengine or count >= len(os.sched_getaffinity(0))):
        priority = "normal"  # a recorder has time; and where there is no other processor, calls could not be steered

    def relay(ports: range) -> EmbeddedPlane:
        return EmbeddedPlane(
            host=settings.rtp_host,
            host6=settings.rtp_host6,
            bind=settings.rtp_bind,
            ports=ports,
            timeout=settings.media_timeout,
            one_way_after=settings.one_way_after,
            speed=speed,
            inherited=inherited,
            browser_hosts=candidate_hosts(settings.webrtc_host, settings.rtp_host) if browsers else (),
            packet_loop=settings.media_loop,
            process_priority=priority,
        )

    relays = [relay(ports) for ports in shares(settings.rtp_ports.ports, count)]
    if not on_rtpengine:
        return relays[0] if count == 1 else SeveralPlanes(relays)
    return RtpenginePlane(
        instances=[(each.host, each.port) for each in settings.rtpengine],
        owner=f"kobza-{_owner(settings.data / OWNER_FILE)}-",
        timeout=settings.media_timeout,
        recorder=relays[0],
        speed=speed,
    )


def _owner(file: Path) -> str:
    """Return what tells this installation from others that use the same rtpengines; made at the first start."""
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        made = secrets.token_hex(4)
        file.write_text(f"{made}\n")
        return made
