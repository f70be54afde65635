"""What a browser keeps for us and must not change: sealed texts, and the tokens of forms.

Sealed with the server's secret; each purpose apart, so that what was sealed for one is nothing for another.
"""

import base64
import hmac
from typing import Final

import msgspec

MIN_SECRET: Final = 32
"""Bytes of the server's secret."""
MAX_SEALED: Final = 2048


class Sealer:
    """Seals texts, and reads them when they come back."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < MIN_SECRET:
            raise ValueError(f"the portal's secret needs {MIN_SECRET} bytes or more")
        self._secret = secret

    def seal(self, purpose: str, text: str, until: int) -> str:
        """Return a text that nobody can change, good until a moment (seconds since the epoch). It can be read."""
        body = msgspec.json.encode([text, until])
        return f"{_text(body)}.{_text(self._mac(purpose, body))}"

    def open(self, purpose: str, sealed: str | None, now: float) -> str | None:
        """Return the text, None for one that is not ours, was changed, is for another purpose or is over."""
        if sealed is None or len(sealed) > MAX_SEALED:
            return None
        body_text, _, mac_text = sealed.partition(".")
        try:
            body, mac = _bytes(body_text), _bytes(mac_text)
        except ValueError:
            return None
        if not hmac.compare_digest(mac, self._mac(purpose, body)):
            return None
        text, until = msgspec.json.decode(body, type=tuple[str, int])
        return text if until > now else None

    def form_token(self, session_id: str) -> str:
        """Return what every form of a session carries, so that no other site can send one (CSRF)."""
        return _text(self._mac("form", session_id.encode()))

    def form_token_is(self, session_id: str, token: str) -> bool:
        """Tell whether a form is one of a session."""
        return hmac.compare_digest(self.form_token(session_id).encode(), token.encode())

    def derived(self, purpose: str, text: str) -> str:
        """Return a text (256 bits) that follows from another, and that only this server can tell."""
        return _text(self._mac(purpose, text.encode()))

    def _mac(self, purpose: str, body: bytes) -> bytes:
        return hmac.digest(self._secret, purpose.encode() + b"\0" + body, "sha256")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
