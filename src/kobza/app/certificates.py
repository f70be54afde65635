"""The certificates of SIP over TLS as the settings name them: which is served, and which is shown to trunks."""

import asyncio
from functools import partial

from kobza.app.lifetime import Lifetime
from kobza.app.server_error import ServerError
from kobza.call.directory import Directory
from kobza.call.trunk import Inbound
from kobza.config.settings import Settings
from kobza.net.tls import Certificate, CertificateError, CertificateFiles, Tls, client_context
from kobza.pbx.directory_view import DirectoryView


def served_files(settings: Settings) -> CertificateFiles | None:
    """Return the files of the certificate that is served; None: neither TLS nor WSS is."""
    if settings.sip_certificate is None or settings.sip_key is None:
        return None
    return CertificateFiles(settings.sip_certificate, settings.sip_key)


def shown_files(settings: Settings) -> CertificateFiles | None:
    """Return the files of the certificate that trunks are shown which ask for one; None: they are shown none."""
    if settings.sip_client_certificate is None or settings.sip_client_key is None:
        return served_files(settings)
    return CertificateFiles(settings.sip_client_certificate, settings.sip_client_key)


def ask_where_wanted(certificate: Certificate, directory: Directory) -> None:
    """Ask who connects for a certificate as long as there is a trunk that is let in by one.

    Otherwise nobody is asked: some phones show one of their factory's, which nobody here can verify.
    Raises CertificateError.
    """
    certificate.ask(wanted=any(trunk.inbound is Inbound.CERTIFICATE for trunk in directory.trunks))


async def open_tls(settings: Settings, view: DirectoryView, lifetime: Lifetime) -> Tls:
    """Load our certificates, and look after them until the end. Raises ServerError."""
    served, shown = served_files(settings), shown_files(settings)
    certificate = None
    try:
        client = await asyncio.to_thread(client_context, settings.sip_authorities)
        if served is not None:
            certificate = Certificate(served, settings.sip_authorities)
            _look_after(certificate, lifetime)
            ask_where_wanted(certificate, view.snapshot)
            view.followers.append(partial(ask_where_wanted, certificate))
        if certificate is not None and shown == served:
            certificate.show_in(client)
        elif shown is not None:
            other = Certificate(shown)
            other.show_in(client)
            _look_after(other, lifetime)
    except CertificateError as error:
        raise ServerError(str(error)) from error
    return Tls(certificate, client)


def _look_after(certificate: Certificate, lifetime: Lifetime) -> None:
    """Take a certificate anew whenever its files change, until the end."""
    watching = asyncio.create_task(certificate.watch(), name="certificate")
    watching.add_done_callback(lifetime.part_ended)

    async def stop() -> None:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    lifetime.stop_with(stop)
