"""What an ID token must be before anything in it is believed (OpenID Connect Core 1.0, section 3.1.3.7), and who it
says somebody is. Without I/O: the token, the provider's keys and the moment come in.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from kobza.portal.openid_options import OpenIdOptions

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures by a key that the provider alone has; `none` and those by the client's secret are not among them."""
LEEWAY: Final = 60
"""Seconds by which the provider's clock may differ."""
MAX_TOKEN: Final = 16_384
MAX_SUBJECT: Final = 255
"""Characters, by the specification."""
SEVERAL_FACTORS: Final = "mfa"
"""Of `amr` (RFC 8176): the provider asked for more than one factor."""
Claims = Mapping[str, Any]


class OpenIdFailure(Exception):
    """Somebody cannot be signed in. `key` is that of the text for them, with its values; the message is for the log."""

    def __init__(self, key: str, message: str, **values: str) -> None:
        super().__init__(message)
        self.key = key
        self.values = values


class UnknownKey(OpenIdFailure):
    """No key that is known has made the signature: the provider may have new ones."""


def usable_keys(document: Any) -> KeySet:
    """Return the keys of a JWK Set (RFC 7517) that may sign; those of kinds that are not known are passed over.

    Raises OpenIdFailure when there is none.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    keys: list[RSAKey | ECKey] = []
    for item in listed if isinstance(listed, list) else []:
        if not isinstance(item, dict) or item.get("use", "sig") != "sig":
            continue
        with suppress(JoseError, ValueError, TypeError):
            if item.get("kty") == "RSA":
                keys.append(RSAKey.import_key(item))
            elif item.get("kty") == "EC":
                keys.append(ECKey.import_key(item))
    if not keys:
        raise OpenIdFailure("openid_wrong", "the provider shows no key that could have signed (jwks_uri)")
    return KeySet(list(keys))


def believed(token: str, keys: KeySet, options: OpenIdOptions, nonce: str, now: float) -> dict[str, Any]:
    """Return the claims of an ID token.

    Raises:
        UnknownKey: it is signed by a key that is not among these.
        OpenIdFailure: it is not from this provider, not for this client, not of this sign-in, or over.

    """
    if len(token) > MAX_TOKEN:
        raise OpenIdFailure("openid_wrong", f"the ID token has more than {MAX_TOKEN} characters")
    try:
        read = jwt.decode(token, keys, algorithms=ALGORITHMS)
        claims: dict[str, Any] = read.claims
        jwt.JWTClaimsRegistry(
            now=int(now),
            leeway=LEEWAY,
            iss={"essential": True, "value": options.issuer},
            aud={"essential": True, "value": options.client_id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(claims)
    except (BadSignatureError, InvalidKeyIdError) as error:
        raise UnknownKey("openid_wrong", f"the signature of the ID token: {error}") from error
    except (JoseError, ValueError, TypeError) as error:
        raise OpenIdFailure("openid_wrong", f"the ID token: {error}") from error
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", options.client_id if not several else None) != options.client_id:
        raise OpenIdFailure("openid_wrong", "the ID token was made for another client (azp)")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
        raise OpenIdFailure("openid_wrong", "the ID token names no subject (sub)")
    return claims


def login_of(claims: Claims, claim: str) -> str:
    """Return the login that the claims name. Raises OpenIdFailure when they name none that is verified."""
    value = claims.get(claim)
    if not isinstance(value, str) or not value.strip():
        raise OpenIdFailure("openid_no_claim", f"no claim {claim}; there are {', '.join(claims)}", claim=claim)
    if claim == "email" and claims.get("email_verified") is not True:
        raise OpenIdFailure("openid_unverified", "the provider does not say that the e-mail address is verified")
    return value.strip()


def check_allowed(claims: Claims, allow: Sequence[tuple[str, str]]) -> None:
    """Raise OpenIdFailure for somebody who has none of the claims that are asked for."""
    for name, value in allow:
        has = claims.get(name)
        if has == value or (isinstance(has, list) and value in has):
            return
    if allow:
        raise OpenIdFailure("openid_not_allowed", "none of the claims of oidc_allow is there")


def asked_for_more(claims: Claims) -> bool:
    """Tell whether the provider asked for more than a password."""
    methods = claims.get("amr")
    return isinstance(methods, list) and SEVERAL_FACTORS in methods
