"""What the operator has agreed on with an OpenID Connect provider."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OpenIdOptions:
    """One provider, and this portal as a client of it."""

    issuer: str
    client_id: str
    client_secret: str | None
    """None: a client without one, which PKCE alone protects."""
    portal_url: str
    """Where browsers find the portal, without a slash at the end."""
    claim: str = "preferred_username"
    """Which claim is the login here."""
    scopes: Sequence[str] = ("openid", "profile", "email")
    allow: Sequence[tuple[str, str]] = ()
    """Claims with a value, of which somebody needs one; none: whoever the provider lets in."""
    label: str | None = None
    """What people call the provider."""

    @property
    def redirect_url(self) -> str:
        """Where the provider sends people back to."""
        return f"{self.portal_url}/signin/openid/back"
