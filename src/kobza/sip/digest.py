"""HTTP Digest as SIP uses it (RFC 3261 22, RFC 7616, RFC 8760): MD5 and SHA-256, qop auth and auth-int.

The nonce is a time and a MAC of it and of the source that it is given to, so every node that has the secret checks it
and none keeps state. From elsewhere it is stale: who answers one has received it, and did not make an address up. The
price: within the nonce's life a captured Authorization can be sent again. It is bound to the method (and the body with
auth-int), not to the Request-URI: proxies rewrite that, and tools like sipp never give it as `uri`. Who needs more
takes TLS.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from kobza.sip.auth_params import AuthParams, parse_auth
from kobza.sip.errors import MalformedMessage
from kobza.sip.grammar import quote

Algorithm = Literal["MD5", "SHA-256"]

STRONGEST_FIRST: tuple[Algorithm, ...] = ("SHA-256", "MD5")
"""Order of our choice among the peer's challenges."""
OFFERED: tuple[Algorithm, ...] = ("MD5", "SHA-256")
"""Order of our challenges. RFC 8760 2.4 has the preferred one first; MD5 is, as many phones give up when the first is
one that they do not know (sipp 3.6, pjsip 2.10, FreeSWITCH 1.10.6, Asterisk 18), though they were to look further."""
REFUSE_SHA_256 = ("baresip", "jssip", "sip.js")
"""User agents, in lower case, that know MD5 and do not find it beside SHA-256: they are offered it alone.

baresip (1.0 to 3.10) gives up when any challenge is SHA-256, JsSIP (3.13) and SIP.js (0.21) look at the last one."""
DEFAULT_ALGORITHM: Algorithm = "MD5"
"""Meant when a peer names none (RFC 7616 3.3)."""
DEFAULT_OFFER: tuple[Algorithm, ...] = (DEFAULT_ALGORITHM,)
"""To those who refuse the other one."""

_NONCE_MAC_BYTES = 16
"""128 bits of keyed BLAKE2b (RFC 7693): as hard to guess as a secret, and the nonce stays short. An HMAC of OpenSSL 3
takes fifty times as long, as it looks its algorithm up by name each time."""
_NONCE_TIME_DIGITS = 12
"""Milliseconds since 1970 in hexadecimal: enough until the year 10889."""


def _digest(algorithm: Algorithm, text: str | bytes) -> str:
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    if algorithm == "MD5":
        return hashlib.md5(data, usedforsecurity=False).hexdigest()  # what old phones know
    return hashlib.sha256(data).hexdigest()


def ha1(username: str, realm: str, password: str, algorithm: Algorithm) -> str:
    """What a server stores in the place of a password: H(username:realm:password) in lower-case hexadecimal."""
    return _digest(algorithm, f"{username}:{realm}:{password}")


class DigestOutcome(StrEnum):
    """What a check of credentials found."""

    OK = "ok"
    STALE = "stale"
    """The password is right and the nonce too old or another secret's: challenge again with stale=true."""
    WRONG = "wrong"
    """Unknown user, wrong password, other realm or algorithm: challenge again."""
    MALFORMED = "malformed"
    """Cannot be read, or a parameter is missing: 400."""


@dataclass(frozen=True, slots=True)
class DigestVerdict:
    """Result of `DigestVerifier.verify`."""

    outcome: DigestOutcome
    username: str = ""
    """As the peer claims; proven only when the outcome is OK or STALE."""
    detail: str = ""
    """Words for the log."""
    answered: bool = False
    """Whether what is wrong answers a nonce of ours: then the peer is where it says, and has tried a password."""


class DigestVerifier:
    """The server's side for one realm. Stateless; nodes with the same secret accept each other's nonces.

    `nonce_lifetime` in seconds. The secret should be 32 random bytes; a new one makes old nonces stale, no more.
    """

    def __init__(self, realm: str, secret: bytes, *, nonce_lifetime: float = 300.0) -> None:
        self.realm = realm
        self._quoted_realm = quote(realm)
        key = hashlib.sha256(secret).digest()  # BLAKE2b takes no longer one than 64 bytes
        name = realm.encode("utf-8", "surrogateescape")
        self._keyed = hashlib.blake2b(name, key=key, digest_size=_NONCE_MAC_BYTES)
        self._lifetime_ms = int(nonce_lifetime * 1000)

    def challenges(
        self, now: float, *, user_agent: str | None, stale: bool = False, source: str = "", shortest: bool = False
    ) -> list[str]:
        """Values for WWW-Authenticate (or Proxy-Authenticate), one header line each: MD5, then SHA-256.

        `user_agent` is the request's User-Agent: phones named in `REFUSE_SHA_256` are offered MD5 alone. Only qop auth
        is offered, as a list confuses old phones; auth-int is understood all the same. `source` is what the peer is
        counted by; `shortest`: MD5 without its name (RFC 7616 3.3 has it meant then), for who may be sent little.
        """
        nonce = self._nonce(int(now * 1000), source)
        if shortest:
            return [f'Digest realm={self._quoted_realm},nonce="{nonce}",qop="auth"' + (",stale=true" if stale else "")]
        mark = ", stale=true" if stale else ""
        agent = (user_agent or "").lower()
        offered = DEFAULT_OFFER if any(name in agent for name in REFUSE_SHA_256) else OFFERED
        return [
            f'Digest realm={self._quoted_realm}, nonce="{nonce}", algorithm={algorithm}, qop="auth"{mark}'
            for algorithm in offered
        ]

    def verify(
        self,
        credentials: str,
        method: str,
        body: bytes,
        ha1_for: Callable[[str, str], str | None],
        now: float,
        *,
        source: str = "",
    ) -> DigestVerdict:
        """Check the value of Authorization or Proxy-Authorization that came from a source.

        `ha1_for(username, algorithm)` gives the stored `ha1`, None for nobody. It is not asked for names that are no
        clean text. Comparison takes the same time wherever the first difference is, and nobody costs as much as a
        wrong password.
        """
        try:
            auth = parse_auth(credentials)
            response = _Response.of(auth)
        except MalformedMessage as error:
            return DigestVerdict(DigestOutcome.MALFORMED, detail=error.what)
        username = response.username
        if not username.isprintable():
            return DigestVerdict(DigestOutcome.WRONG, detail="unprintable username")
        if response.algorithm is None:
            return DigestVerdict(DigestOutcome.WRONG, username, "algorithm not offered")
        if response.realm != self.realm:
            return DigestVerdict(DigestOutcome.WRONG, username, "another realm")
        stored = ha1_for(username, response.algorithm)
        expected = response.expected(response.algorithm, stored or "", method, body)
        if not hmac.compare_digest(expected.encode(), response.digest.encode()) or stored is None:
            detail = "unknown user" if stored is None else "wrong password"
            return DigestVerdict(DigestOutcome.WRONG, username, detail, self.is_ours(response.nonce, source, now))
        if not self.is_ours(response.nonce, source, now):
            return DigestVerdict(DigestOutcome.STALE, username, "old nonce")
        return DigestVerdict(DigestOutcome.OK, username)

    def is_ours(self, nonce: str, source: str, now: float) -> bool:
        """Whether a nonce was given to this source and is not older than its life.

        Nor newer, should a node's clock be far ahead.
        """
        stamp, mac = nonce[:_NONCE_TIME_DIGITS], nonce[_NONCE_TIME_DIGITS:]
        if not hmac.compare_digest(self._mac(stamp, source).encode(), mac.encode()):
            return False
        return abs(int(now * 1000) - int(stamp, 16)) <= self._lifetime_ms

    def _nonce(self, now_ms: int, source: str) -> str:
        stamp = f"{now_ms:0{_NONCE_TIME_DIGITS}x}"
        return stamp + self._mac(stamp, source)

    def _mac(self, stamp: str, source: str) -> str:
        mac = self._keyed.copy()
        mac.update((stamp + source).encode("utf-8", "surrogateescape"))
        return mac.hexdigest()


@dataclass(frozen=True, slots=True)
class _Response:
    """Digest credentials, read and complete."""

    username: str
    realm: str
    nonce: str
    uri: str
    digest: str
    algorithm: Algorithm | None
    """None: one that we do not offer."""
    qop: str
    """"" from a peer of RFC 2069, which RFC 3261 22.4 lets in."""
    cnonce: str
    nonce_count: str

    @classmethod
    def of(cls, auth: AuthParams) -> _Response:
        """Take the parameters; MalformedMessage names what is missing or no value."""
        where = "Authorization header"
        if auth.scheme.lower() != "digest":
            raise MalformedMessage(f"scheme is not Digest: {auth.scheme}", where)
        params = auth.params
        needed = ["username", "realm", "nonce", "uri", "response"]
        qop = params.get("qop", "").lower()
        if qop:
            needed += ["cnonce", "nc"]
        missing = [name for name in needed if name not in params]
        if missing:
            raise MalformedMessage(f"missing: {', '.join(missing)}", where)
        if qop not in ("", "auth", "auth-int"):
            raise MalformedMessage("unknown qop", where)
        return cls(
            params["username"],
            params["realm"],
            params["nonce"],
            params["uri"],
            params["response"].lower(),
            _known_algorithm(params.get("algorithm", DEFAULT_ALGORITHM)),
            qop,
            params.get("cnonce", ""),
            params.get("nc", ""),
        )

    def expected(self, algorithm: Algorithm, stored_ha1: str, method: str, body: bytes) -> str:
        """The digest that these parameters should have with the true password (RFC 7616 3.4.1)."""
        ha2 = _ha2(algorithm, self.qop, method, self.uri, body)
        if not self.qop:
            return _digest(algorithm, f"{stored_ha1}:{self.nonce}:{ha2}")
        return _digest(algorithm, f"{stored_ha1}:{self.nonce}:{self.nonce_count}:{self.cnonce}:{self.qop}:{ha2}")


def _known_algorithm(name: str) -> Algorithm | None:
    return next((algorithm for algorithm in STRONGEST_FIRST if algorithm == name.upper()), None)


def _ha2(algorithm: Algorithm, qop: str, method: str, uri: str, body: bytes) -> str:
    if qop == "auth-int":
        return _digest(algorithm, f"{method}:{uri}:{_digest(algorithm, body)}")
    return _digest(algorithm, f"{method}:{uri}")


def authorize(
    challenges: Sequence[str],
    *,
    method: str,
    uri: str,
    username: str,
    password: str,
    cnonce: str,
    nonce_count: int = 1,
    body: bytes = b"",
) -> str:
    """Answer one of the challenges: the value for Authorization or Proxy-Authorization.

    SHA-256 is taken before MD5, qop auth before auth-int, none for a server of RFC 2069. Challenges that are malformed
    or offer nothing known are passed over; MalformedMessage when none is left.
    """
    usable = [found for challenge in challenges if (found := _read_challenge(challenge)) is not None]
    if not usable:
        raise MalformedMessage("no usable challenge", "WWW-Authenticate header")
    algorithm, params, qop = min(usable, key=lambda one: STRONGEST_FIRST.index(one[0]))
    realm, nonce = params["realm"], params["nonce"]
    response = _Response(
        username, realm, nonce, uri, "", algorithm, qop, cnonce if qop else "", f"{nonce_count:08x}" if qop else ""
    )
    digest = response.expected(algorithm, ha1(username, realm, password, algorithm), method, body)
    answer = {"username": username, "realm": realm, "nonce": nonce, "uri": uri, "response": digest}
    if "algorithm" in params:
        answer["algorithm"] = params["algorithm"]
    if qop:
        answer |= {"cnonce": cnonce, "qop": qop, "nc": response.nonce_count}
    if "opaque" in params:
        answer["opaque"] = params["opaque"]
    return str(AuthParams("Digest", answer))


def _read_challenge(text: str) -> tuple[Algorithm, dict[str, str], str] | None:
    """Algorithm, parameters and chosen qop of a challenge; None when it is of no use to us."""
    try:
        auth = parse_auth(text, "WWW-Authenticate header")
    except MalformedMessage:
        return None
    params = auth.params
    algorithm = _known_algorithm(params.get("algorithm", DEFAULT_ALGORITHM))
    if auth.scheme.lower() != "digest" or algorithm is None or not params.keys() >= {"realm", "nonce"}:
        return None
    if "qop" not in params:
        return algorithm, params, ""
    offered = [qop.strip().lower() for qop in params["qop"].split(",")]
    chosen = next((qop for qop in ("auth", "auth-int") if qop in offered), None)
    return None if chosen is None else (algorithm, params, chosen)
