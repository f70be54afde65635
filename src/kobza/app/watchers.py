"""Who looks at SIP messages beside the calls: what commands on this machine ask for."""

from collections.abc import Awaitable, Callable

from kobza.app.control.server import ControlSocket
from kobza.config.settings import Settings
from kobza.pbx.sip_watch import SipWatch


async def start_watchers(
    settings: Settings, watch: SipWatch, stop_with: Callable[[Callable[[], Awaitable[object]]], None]
) -> None:
    """Start them; `stop_with` gets what stops each."""
    control = ControlSocket(settings.data, watch)
    await control.start()
    stop_with(control.stop)
