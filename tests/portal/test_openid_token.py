"""What of an ID token is believed, and what of it is not."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from kobza.portal.openid_options import OpenIdOptions
from kobza.portal.openid_token import (
    LEEWAY,
    MAX_TOKEN,
    OpenIdFailure,
    UnknownKey,
    asked_for_more,
    believed,
    check_allowed,
    login_of,
    usable_keys,
)

NOW, NONCE = 1_800_000_000.5, "nonce-of-this-sign-in"
OPTIONS = OpenIdOptions("https://login.example.com", "kobza", None, "https://pbx.example.com")
KEY, OTHER = RSAKey.generate_key(2048, auto_kid=True), RSAKey.generate_key(2048, auto_kid=True)
CURVE = ECKey.generate_key("P-256", auto_kid=True)
PUBLISHED = {"keys": [KEY.as_dict(private=False), CURVE.as_dict(private=False)]}
KEYS = usable_keys(PUBLISHED)
GOOD: dict[str, Any] = {
    "iss": OPTIONS.issuer,
    "aud": OPTIONS.client_id,
    "sub": "17",
    "nonce": NONCE,
    "iat": int(NOW) - 5,
    "exp": int(NOW) + 300,
}


def signed(key: RSAKey | ECKey = KEY, algorithm: str = "RS256", **changes: Any) -> str:
    claims = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key, algorithms=[algorithm])


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def read(token: str, keys: KeySet = KEYS) -> dict[str, Any]:
    return believed(token, keys, OPTIONS, NONCE, NOW)


def test_a_token_of_the_provider_for_this_sign_in_is_believed() -> None:
    assert read(signed()) == GOOD
    assert read(signed(CURVE, "ES256"))["sub"] == "17"
    assert read(signed(aud=["kobza"]))["aud"] == ["kobza"]
    assert read(signed(aud=["kobza", "crm"], azp="kobza"))["azp"] == "kobza"
    assert read(signed(exp=int(NOW) - LEEWAY + 1))["sub"] == "17", "clocks differ a little"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://login.example.com/"},
        {"iss": None},
        {"aud": "crm"},
        {"aud": ["crm"]},
        {"aud": None},
        {"aud": ["kobza", "crm"]},
        {"azp": "crm"},
        {"exp": int(NOW) - LEEWAY - 1},
        {"exp": None},
        {"exp": "soon"},
        {"iat": int(NOW) + LEEWAY + 2},
        {"iat": None},
        {"nbf": int(NOW) + LEEWAY + 2},
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 17},
        {"sub": "x" * 256},
    ],
)
def test_one_that_is_not_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(OpenIdFailure) as failure:
        read(signed(**changes))
    assert failure.value.key == "openid_wrong"
    assert not isinstance(failure.value, UnknownKey)


def test_the_signature_is_by_a_key_of_the_provider_and_by_no_shared_secret() -> None:
    with pytest.raises(UnknownKey):
        read(signed(OTHER))
    header, payload, signature = signed().split(".")
    with pytest.raises(UnknownKey):
        read(f"{header}.{payload}.{signature[:-8]}AAAAAAAA")
    unsigned = ".".join((b64(b'{"alg":"none"}'), payload, ""))
    as_a_secret = OctKey.import_key(json.dumps(PUBLISHED).encode())
    by_what_everybody_knows = jwt.encode({"alg": "HS256", "kid": KEY.kid}, GOOD, as_a_secret, algorithms=["HS256"])
    for token in (unsigned, by_what_everybody_knows, "", "a.b.c", "x" * (MAX_TOKEN + 1)):
        with pytest.raises(OpenIdFailure):
            read(token)


def test_keys_that_cannot_sign_for_the_provider_are_passed_over() -> None:
    wanted = KEY.as_dict(private=False)
    secret = OctKey.generate_key(256).as_dict()
    others = [secret, {"kty": "RSA"}, {"kty": "lattice"}, "key", None, {**wanted, "use": "enc"}]
    assert [key.kid for key in usable_keys({"keys": [*others, wanted]}).keys] == [KEY.kid]
    wrong: tuple[Any, ...] = ({"keys": others}, {"keys": []}, {"keys": 1}, {}, [], None)
    for document in wrong:
        with pytest.raises(OpenIdFailure):
            usable_keys(document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*GOOD, "azp", "nbf", "amr"]), JSON)
def test_whatever_a_claim_is_the_token_is_believed_or_refused(name: str, value: Any) -> None:
    try:
        claims = read(signed(**{name: value}))
    except OpenIdFailure:
        return
    assert {key: claims[key] for key in ("iss", "nonce")} == {"iss": OPTIONS.issuer, "nonce": NONCE}
    assert "kobza" in claims["aud"]
    asked_for_more(claims)


@given(st.text(max_size=200) | st.builds(".".join, st.lists(st.text("abcXYZ019-_=", max_size=40), max_size=5)))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(OpenIdFailure):
        read(text)


@given(JSON)
def test_any_document_has_keys_or_is_refused(document: Any) -> None:
    for tried in (document, {"keys": document}, {"keys": [document]}):
        with pytest.raises(OpenIdFailure):
            usable_keys(tried)


def test_who_somebody_is_and_whether_they_may() -> None:
    claims = {"preferred_username": " olena ", "email": "o@example.com", "email_verified": True, "groups": ["pbx"]}
    assert login_of(claims, "preferred_username") == "olena"
    assert login_of(claims, "email") == "o@example.com"
    for changed, claim, key in (
        ({}, "preferred_username", "openid_no_claim"),
        ({"upn": ["olena"]}, "upn", "openid_no_claim"),
        ({"email": "o@example.com"}, "email", "openid_unverified"),
        ({"email": "o@example.com", "email_verified": "true"}, "email", "openid_unverified"),
    ):
        with pytest.raises(OpenIdFailure) as failure:
            login_of(changed, claim)
        assert failure.value.key == key
    check_allowed(claims, ())
    check_allowed(claims, [("hd", "example.com"), ("groups", "pbx")])
    check_allowed({"hd": "example.com"}, [("hd", "example.com")])
    with pytest.raises(OpenIdFailure):
        check_allowed(claims, [("groups", "pb"), ("hd", "example.com")])


def test_more_than_a_password_is_what_the_provider_says_it_is() -> None:
    assert asked_for_more({"amr": ["pwd", "mfa"]})
    for claims in ({}, {"amr": ["pwd"]}, {"amr": "mfa"}, {"amr": None}):
        assert not asked_for_more(claims)
