"""`kobza serve`: a server that runs until it is told to stop."""

import asyncio
import logging
import signal
import sys

import uvloop

from kobza import BUILD
from kobza.app import logs
from kobza.app.server import Server
from kobza.app.server_error import ServerError
from kobza.app.service_manager import ServiceManager
from kobza.config.loading import Loaded
from kobza.config.settings import unheard
from kobza.media.plane import MediaError
from kobza.sip.flow import host_text
from kobza.store import StoreError

log = logging.getLogger(__name__)


def serve(loaded: Loaded) -> int | None:
    """Run until Ctrl-C or SIGTERM; return the exit status: 1 when it cannot start or a part of it died."""
    settings = loaded.settings
    logs.configure(settings.log_level, settings.log_format)
    return uvloop.run(_serve(loaded))


async def _serve(loaded: Loaded) -> int:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told_to_stop.set)
    server = Server(loaded.settings, loaded=loaded)
    manager = ServiceManager()
    try:
        await server.start()
    except (StoreError, ServerError, MediaError) as error:
        print(f"kobza: {error}", file=sys.stderr)  # noqa: T201 - what the command says
        return 1
    sip = ", ".join(f"{way.value.lower()}:{host_text(host)}:{port}" for way, host, port in server.sip_addresses)
    log.info("Kobza is ready: %s, SIP on %s (%s)", server.http_url, sip, BUILD)
    if (why := unheard(loaded.settings)) is not None:
        log.warning("%s: set rtp_host to the address of this machine that they reach, or nobody is heard", why)
    manager.ready()
    failed = asyncio.create_task(server.failed())
    stopping = asyncio.create_task(told_to_stop.wait())
    await asyncio.wait((failed, stopping), return_when=asyncio.FIRST_COMPLETED)
    died = failed.result() if failed.done() else None
    if died is not None:
        log.critical("Kobza stops because a part of it died", exc_info=died)
    for task in (failed, stopping):
        task.cancel()
    manager.stopping()
    await server.stop()
    log.info("Kobza has stopped")
    return 0 if died is None else 1
