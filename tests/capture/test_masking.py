"""Secrets that are written over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.capture.masking import masked

HEAD = b"REGISTER sip:host SIP/2.0\r\n"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            b'Authorization: Digest username="067", realm="kobza", nonce="n", response="0123abcd", uri="sip:host"',
            b'Authorization: Digest username="067", realm="kobza", nonce="n", response="xxxxxxxx", uri="sip:host"',
        ),
        (
            b"PROXY-AUTHORIZATION:Digest\r\n response = abc , qop=auth",
            b"PROXY-AUTHORIZATION:Digest\r\n response = xxx , qop=auth",
        ),
        (b"Authorization: Bearer abc.def", b"Authorization: Bearer xxxxxxx"),
        (b"Authorization: Basic YTpi\r\n Yzpk\r\nVia: a", b"Authorization: Basic xxxx\r\n xxxx\r\nVia: a"),
        (b"To: <sip:067:secret@host:5060>", b"To: <sip:067:xxxxxx@host:5060>"),
        (b"To: <SipS:067:secret@host:5060>", b"To: <SipS:067:xxxxxx@host:5060>"),
        (b"Contact: <sip:host:5060;a=b>, <sip:067@host>", b"Contact: <sip:host:5060;a=b>, <sip:067@host>"),
        (b'WWW-Authenticate: Digest nonce="response=1"', b'WWW-Authenticate: Digest nonce="response=1"'),
    ],
)
def test_credentials_in_headers(line: bytes, shown: bytes) -> None:
    assert masked(HEAD + line + b"\r\n\r\n") == HEAD + shown + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("kind", "body", "shown"),
    [
        (
            b"application/sdp",
            b"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY+KEY=|2^20|1:4 inline:OTHER\r\na=x\r\n",
            b"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:xxxxxxxx|2^20|1:4 inline:xxxxx\r\na=x\r\n",
        ),
        (b"application/sdp", b"a=ice-ufrag:u\na=ice-pwd:secret\n", b"a=ice-ufrag:u\na=ice-pwd:xxxxxx\n"),
        (b"application/sdp", b"k=base64:AAAA\r\n", b"k=base64:xxxx\r\n"),
        (b"application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", b"Signal=x\r\nDuration=160\r\n"),
        (b"application/dtmf", b"5", b"x"),
        (b"text/plain", b"call 5", b"call 5"),
    ],
)
def test_keys_and_digits_in_bodies(kind: bytes, body: bytes, shown: bytes) -> None:
    head = HEAD + b"Content-Type: " + kind + b"\r\n\r\n"
    assert masked(head + body) == head + shown


parts = st.sampled_from(
    [
        HEAD,
        b"Authorization: ",
        b"Digest ",
        b'response="',
        b"secret",
        b'"',
        b"\r\n",
        b"\r\n ",
        b"a=crypto:",
        b"inline:",
        b"sip:a:",
    ]
)


@given(st.lists(parts | st.binary(max_size=8), max_size=30).map(b"".join))
def test_the_length_stays_and_twice_is_once(data: bytes) -> None:
    once = masked(data)
    assert len(once) == len(data)
    assert masked(once) == once


@given(st.binary(max_size=300))
def test_whatever_comes_keeps_its_length(data: bytes) -> None:
    assert len(masked(data)) == len(data)
