"""An OpenID Connect provider: where it has what (discovery), its keys, and what it tells for a code.

Each answer is bounded in size and time. What the provider says of itself is asked for anew every hour, its keys also
when a token is signed by one that is not known yet (rotation).
"""

import base64
import hashlib
import ssl
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import anyio
import anyio.to_thread
import httpx
import msgspec
from joserfc.jwk import KeySet

from kobza.portal.openid_options import OpenIdOptions
from kobza.portal.openid_token import OpenIdFailure, UnknownKey, believed, usable_keys

STEP_SECONDS: Final = 5.0
"""How long connecting, sending and each wait for bytes may take."""
ANSWER_SECONDS: Final = 10.0
"""How long a whole answer may take."""
MAX_ANSWER: Final = 262_144
"""Bytes: a set of keys with certificates has some thousands."""
KNOWN_FOR: Final = 3600.0
"""Seconds for which what the provider said of itself counts."""
AT_ONCE: Final = 8
"""Sign-ins that speak to the provider at a time; the others wait for their turn."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Metadata(msgspec.Struct):
    """What a provider says of itself (OpenID Connect Discovery 1.0, section 3), as far as it matters here."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] = msgspec.field(default_factory=lambda: ["client_secret_basic"])
    authorization_response_iss_parameter_supported: bool = False


class _Tokens(msgspec.Struct):
    id_token: str
    access_token: str = ""


class OpenIdProvider:
    """One provider, as one client of it."""

    def __init__(self, options: OpenIdOptions) -> None:
        self.options = options
        self._tls: ssl.SSLContext | None = None
        self._metadata: Metadata | None = None
        self._keys: KeySet | None = None
        self._known_until = 0.0
        self._turns = anyio.Semaphore(AT_ONCE)

    async def authorization_url(self, state: str, nonce: str, verifier: str, now: float) -> str:
        """Return where to send a browser. Raises OpenIdFailure when the provider cannot be asked."""
        async with self._turns:
            metadata = await self._known_metadata(now)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self.options.client_id,
                "redirect_uri": self.options.redirect_url,
                "scope": " ".join(self.options.scopes),
                "state": state,
                "nonce": nonce,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            },
            quote_via=quote,
        )
        joint = "&" if urlsplit(metadata.authorization_endpoint).query else "?"
        return f"{metadata.authorization_endpoint}{joint}{query}"

    async def claims_for(self, code: str, issuer: str | None, nonce: str, verifier: str, now: float) -> dict[str, Any]:
        """Return what the provider tells of who brought a code; `issuer` is what the browser brought of it (RFC 9207).

        Raises OpenIdFailure.
        """
        async with self._turns:
            metadata = await self._known_metadata(now)
            if issuer not in (None, self.options.issuer) or (
                issuer is None and metadata.authorization_response_iss_parameter_supported
            ):
                raise OpenIdFailure("openid_wrong", f"the answer is of the issuer {issuer!r}")
            tokens = await self._tokens(metadata, code, verifier)
            try:
                claims = believed(tokens.id_token, await self._known_keys(metadata), self.options, nonce, now)
            except UnknownKey:
                self._keys = None
                claims = believed(tokens.id_token, await self._known_keys(metadata), self.options, nonce, now)
            if self._wants_more(claims) and metadata.userinfo_endpoint is not None and tokens.access_token:
                claims = {**await self._told_besides(metadata.userinfo_endpoint, tokens, claims["sub"]), **claims}
            return claims

    def _wants_more(self, claims: dict[str, Any]) -> bool:
        """Tell whether the ID token lacks what is needed: many providers tell it by another way only."""
        needed = {self.options.claim, *(name for name, _ in self.options.allow)}
        if self.options.claim == "email":
            needed.add("email_verified")
        return not needed <= claims.keys()

    async def _known_metadata(self, now: float) -> Metadata:
        if self._metadata is None or now >= self._known_until:
            issuer = self.options.issuer
            url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
            found = _decoded(await self._ask("GET", url), Metadata, url)
            if found.issuer != issuer:
                raise OpenIdFailure("openid_wrong", f"{url} names the issuer {found.issuer!r}: set oidc_issuer to it")
            for endpoint in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
                _check_secure(endpoint)
            self._metadata, self._keys, self._known_until = found, None, now + KNOWN_FOR
        return self._metadata

    async def _known_keys(self, metadata: Metadata) -> KeySet:
        if self._keys is None:
            document: Any = _decoded(await self._ask("GET", metadata.jwks_uri), Any, metadata.jwks_uri)
            self._keys = usable_keys(document)
        return self._keys

    async def _tokens(self, metadata: Metadata, code: str, verifier: str) -> _Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.options.redirect_url,
            "code_verifier": verifier,
            "client_id": self.options.client_id,
        }
        headers = {}
        secret, ways = self.options.client_secret, metadata.token_endpoint_auth_methods_supported
        if secret is not None and "client_secret_post" in ways and "client_secret_basic" not in ways:
            form["client_secret"] = secret
        elif secret is not None:
            pair = f"{quote(self.options.client_id, safe='')}:{quote(secret, safe='')}"  # RFC 6749, section 2.3.1
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        answer = await self._ask("POST", metadata.token_endpoint, data=form, headers=headers)
        tokens: _Tokens = _decoded(answer, _Tokens, metadata.token_endpoint)
        return tokens

    async def _told_besides(self, url: str, tokens: _Tokens, subject: str) -> dict[str, Any]:
        """Return what the UserInfo endpoint tells; it must be of the same subject (section 5.3.2)."""
        _check_secure(url)
        headers = {"authorization": f"Bearer {tokens.access_token}"}
        told: dict[str, Any] = _decoded(await self._ask("GET", url, headers=headers), dict[str, Any], url)
        if told.get("sub") != subject:
            raise OpenIdFailure("openid_wrong", f"{url} tells of another subject than the ID token")
        return told

    async def _ask(self, method: str, url: str, **options: Any) -> bytes:
        """Return the body of an answer with a status 2xx. Raises OpenIdFailure."""
        if self._tls is None:  # takes some 20 ms: not on the loop of the calls
            self._tls = await anyio.to_thread.run_sync(ssl.create_default_context)
        body = bytearray()
        try:
            with anyio.fail_after(ANSWER_SECONDS):
                async with (
                    httpx.AsyncClient(verify=self._tls, timeout=STEP_SECONDS) as client,
                    client.stream(method, url, **options) as answer,
                ):
                    async for chunk in answer.aiter_bytes():
                        body += chunk
                        if len(body) > MAX_ANSWER:
                            raise OpenIdFailure("openid_away", f"{url} answers with more than {MAX_ANSWER} bytes")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            raise OpenIdFailure("openid_away", f"{url} cannot be asked: {error or type(error).__name__}") from error
        if not answer.is_success:
            told = bytes(body[:300]).decode("utf-8", "replace")
            key = "openid_away" if answer.status_code >= 500 else "openid_wrong"
            raise OpenIdFailure(key, f"{url} answers {answer.status_code}: {told}")
        return bytes(body)


def _decoded(body: bytes, kind: Any, url: str) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise OpenIdFailure("openid_wrong", f"{url} answers with something else than expected: {error}") from error


def _check_secure(url: str) -> None:
    """Raise OpenIdFailure for an address to which a secret would go in clear over a network."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise OpenIdFailure("openid_wrong", f"the provider names {url}, which is no https address")
