"""The certificates of SIP over TLS as the settings name them: which is served, and which is shown to trunks."""

from kobza.call.directory import Directory
from kobza.call.trunk import Inbound
from kobza.config.settings import Settings
from kobza.net.tls import Certificate, CertificateFiles


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
