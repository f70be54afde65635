"""What the portal is built with: the key of the installation, and the OpenID Connect provider of its settings."""

import logging
import os
import secrets
from pathlib import Path
from typing import Final

from kobza.app.server_error import ServerError
from kobza.config.settings import Settings
from kobza.portal.openid_options import OpenIdOptions
from kobza.portal.vault import Vault, is_kept
from kobza.store import Store, second_factor

log = logging.getLogger(__name__)

SECRET_BYTES: Final = 32
PORTAL_KEY: Final = "portal.key"
"""File of the portal's secret, in the data directory."""


def openid_options(settings: Settings) -> OpenIdOptions | None:
    """Return the provider by which people may sign in, None when there is none."""
    issuer, client_id, portal_url = settings.oidc_issuer, settings.oidc_client_id, settings.portal_url
    if issuer is None or client_id is None or portal_url is None:
        return None
    secret = settings.oidc_client_secret
    return OpenIdOptions(
        issuer=issuer,
        client_id=client_id,
        client_secret=None if secret is None else secret.get_secret_value(),
        portal_url=portal_url,
        claim=settings.oidc_claim,
        scopes=settings.oidc_scopes,
        allow=tuple((name, value) for name, _, value in (item.partition("=") for item in settings.oidc_allow)),
        label=settings.oidc_name,
    )


def portal_secret(path: Path, store: Store) -> bytes:
    """Return the portal's secret; what an earlier release stored in clear is encrypted by it."""
    secret = _kept_secret(path)
    vault = Vault(secret)
    with store.write() as conn:
        sealed = second_factor.seal_all(conn, lambda owner, text: None if is_kept(text) else vault.keep(owner, text))
    if sealed:
        log.info("the secrets of %d second factors, stored in clear by an earlier release, are encrypted now", sealed)
    return secret


def _kept_secret(path: Path) -> bytes:
    """Return the secret in a file, made at the first start; only its owner may read it."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = path.read_bytes()
        if len(key) < SECRET_BYTES:
            raise ServerError(
                f"{path} is damaged: put back the one of a backup, or remove it: then everybody signs in anew, "
                "and second factors are opened by their recovery codes alone"
            ) from None
        return key
    with os.fdopen(handle, "wb") as file:
        key = secrets.token_bytes(SECRET_BYTES)
        file.write(key)
    return key
