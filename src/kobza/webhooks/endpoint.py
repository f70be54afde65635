"""What an endpoint may be: its URL, its token and its secret. For those that set one; the address itself is checked
at every connection (`kobza.webhooks.address`).
"""

from typing import Final

from yarl import URL

from kobza.webhooks.signing import signer

MAX_URL: Final = 2000
MAX_TOKEN: Final = 1000
MIN_SECRET_BYTES: Final = 16
"""Of the decoded secret: a key that can be guessed signs nothing. The specification recommends 24 to 64."""


def check_url(url: str) -> None:
    """Raise ValueError, which says what is right, unless the URL is one to post to."""
    if len(url) > MAX_URL or not url.isprintable() or " " in url:
        raise ValueError("expected a URL without spaces, such as https://crm.example.com/hooks")
    try:
        parsed = URL(url)
        host, scheme = parsed.host, parsed.scheme
        port = parsed.port
    except ValueError:
        host, scheme, port = None, "", None
    if scheme not in ("http", "https") or not host or not port:
        raise ValueError("expected an http or https URL, such as https://crm.example.com/hooks")
    if parsed.user is not None or parsed.password is not None:
        raise ValueError("expected a URL without a user name and password; the token is what is sent")
    if parsed.fragment:
        raise ValueError("expected a URL without a fragment (#…)")


def check_token(token: str) -> None:
    """Raise ValueError, which says what is right, unless the token can stand in an Authorization header."""
    if not 0 < len(token) <= MAX_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(f"expected 1 to {MAX_TOKEN} ASCII characters without spaces")


def check_secret(secret: str) -> None:
    """Raise ValueError, which says what is right, unless the secret can sign (`whsec_` and base64)."""
    right = f"expected whsec_ and the base64 of {MIN_SECRET_BYTES} or more random bytes"
    bare = secret.removeprefix("whsec_").rstrip("=")
    if len(bare) * 3 // 4 < MIN_SECRET_BYTES or not bare.isascii():
        raise ValueError(right)
    if not all(character.isalnum() or character in "+/" for character in bare):
        raise ValueError(right)
    try:
        signer(secret)
    except ValueError:
        raise ValueError(right) from None


def callstate_url(url: str) -> URL:
    """Return where the states of an endpoint go: its URL with `/callstate` at the end of the path."""
    base = URL(url)
    path = base.raw_path.rstrip("/") + "/callstate"
    return base.with_path(path, encoded=True, keep_query=True)
