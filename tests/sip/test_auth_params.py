"""Challenges and credentials."""

import pytest

from kobza.sip.auth_params import AuthParams, parse_auth
from kobza.sip.errors import MalformedMessage

READ = {
    'Digest realm="a, b=c", nonce="\\"x\\\\", qop="auth,auth-int", stale=FALSE , algorithm=MD5': AuthParams(
        "Digest", {"realm": "a, b=c", "nonce": '"x\\', "qop": "auth,auth-int", "stale": "FALSE", "algorithm": "MD5"}
    ),
    "DIGEST Realm=unquoted,\tNC = 00000001,": AuthParams("DIGEST", {"realm": "unquoted", "nc": "00000001"}),
    'Digest uri="sip:a@b;x=y?z",opaque=""': AuthParams("Digest", {"uri": "sip:a@b;x=y?z", "opaque": ""}),
    "Digest uri=sip:a@b;x=y?z=1": AuthParams("Digest", {"uri": "sip:a@b;x=y?z=1"}),
    "Digest opaque=": AuthParams("Digest", {"opaque": ""}),
    "NoOneKnowsThisScheme opaque-data=here": AuthParams("NoOneKnowsThisScheme", {"opaque-data": "here"}),
    "Negotiate": AuthParams("Negotiate", {}),
    'Digest username="Оксана\x01"': AuthParams("Digest", {"username": "Оксана\ufffd"}),
}

REFUSED = {
    "": "not an authentication scheme",
    "   ": "not an authentication scheme",
    '"Digest" a=b': "not an authentication scheme",
    "Bearer abc": "bad parameter",
    "Digest realm": "bad parameter",
    'Digest realm="a': "bad parameter",
    'Digest realm="a"x': "bad parameter",
    'Digest realm="a";nonce="b"': "bad parameter",
    'Digest realm="a" nonce="b"': "bad parameter",
    "Digest a=b,,c=d": "bad parameter",
    'Digest a="1", A="2"': "parameter a given twice",
}


@pytest.mark.parametrize(("text", "auth"), READ.items())
def test_reading_and_writing(text: str, auth: AuthParams) -> None:
    assert parse_auth(text) == auth
    assert parse_auth(str(auth)) == auth


@pytest.mark.parametrize(("text", "what"), REFUSED.items())
def test_refusing(text: str, what: str) -> None:
    with pytest.raises(MalformedMessage, match=what) as raised:
        parse_auth(text, "WWW-Authenticate header")
    assert raised.value.where == "WWW-Authenticate header"


def test_credentials_are_quoted_as_rfc_7616_says() -> None:
    auth = AuthParams("Digest", {"username": "a", "qop": "auth", "nc": "00000001", "algorithm": "MD5", "stale": "a b"})
    assert str(auth) == 'Digest username="a", qop=auth, nc=00000001, algorithm=MD5, stale="a b"'


def test_a_long_hostile_value_is_refused_at_once() -> None:
    for text in ("Digest " + "a=b " * 15_000, 'Digest a="' + "\\" * 60_000, "Digest " + "a" * 60_000):
        with pytest.raises(MalformedMessage):
            parse_auth(text)
