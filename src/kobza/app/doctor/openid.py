"""The OpenID Connect provider by which people sign in to the portal."""

import json
from collections.abc import Iterable
from typing import Final

from kobza.app.doctor.findings import Finding, bad, good
from kobza.config.settings import Settings

CHECK: Final = "sign-in provider"
PATIENCE: Final = 5.0
"""Seconds for an answer."""


def provider(settings: Settings) -> Iterable[Finding]:
    """Ask the provider what it says of itself, when there is one."""
    issuer = settings.oidc_issuer
    if issuer is None:
        return
    import httpx  # takes a quarter of a second to load

    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        told = httpx.get(url, timeout=PATIENCE).raise_for_status().json()
    except httpx.HTTPError as error:
        yield bad(CHECK, f"{url} cannot be asked: {error}", "correct oidc_issuer, or look at the provider")
        return
    except json.JSONDecodeError:
        yield bad(CHECK, f"{url} answers with no JSON", "correct oidc_issuer: another program answers there")
        return
    named = told.get("issuer") if isinstance(told, dict) else None
    if named != issuer:
        yield bad(CHECK, f"the one at {url} names itself {named}", "set oidc_issuer to exactly that")
    else:
        yield good(CHECK, f"{issuer} answers; it has to know {settings.portal_url}/signin/openid/back")
