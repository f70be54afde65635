"""Who looks at SIP messages beside the calls: what commands on this machine ask for, and a collector."""

from kobza.app.control.server import ControlSocket
from kobza.app.lifetime import Lifetime
from kobza.config.settings import Settings
from kobza.pbx.hep_export import HepExport
from kobza.pbx.sip_watch import SipWatch


async def start_watchers(settings: Settings, watch: SipWatch, lifetime: Lifetime) -> None:
    """Start them, until the end."""
    control = ControlSocket(settings.data, watch)
    await control.start()
    lifetime.stop_with(control.stop)
    server, key = settings.hep_server, settings.hep_password
    if server is not None:
        export = HepExport(
            watch,
            transport=server.transport,
            host=server.host,
            port=server.port,
            agent=settings.hep_id,
            key="" if key is None else key.get_secret_value(),
        )
        export.start()
        lifetime.stop_with(export.stop)
