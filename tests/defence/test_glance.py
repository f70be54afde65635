"""What a look at a message tells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.defence.glance import HEAD, is_scanner, nonce_in

SCAN = b"OPTIONS sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.9:5060;branch=z9hG4bK1;rport\r\n"


@pytest.mark.parametrize(
    "line",
    [
        b"User-Agent: friendly-scanner",
        b"user-agent :  Friendly-Scanner/1.0",
        b'From: "sipvicious"<sip:100@1.1.1.1>;tag=6',
        b'f: "sipvicious"<sip:100@1.1.1.1>;tag=6',
        b"User-Agent: sipcli/v1.8",
        b"USER-AGENT: VaxSIPUserAgent/3.5",
    ],
)
def test_scanners_say_who_they_are(line: bytes) -> None:
    assert is_scanner(SCAN + line + b"\r\n\r\n")


@pytest.mark.parametrize(
    "line",
    [
        b"User-Agent: baresip v1.0.0 (x86_64/linux)",
        b"Subject: about sipvicious",
        b"User-Agent: sipsak 0.9.8",
        b"User-Agent: Linphone\r\n\r\nbody with friendly-scanner",
    ],
)
def test_others_do_not(line: bytes) -> None:
    assert not is_scanner(SCAN + line + b"\r\n\r\n")


def test_only_the_beginning_is_looked_at() -> None:
    assert not is_scanner(SCAN + b"X: " + b"y" * HEAD + b"\r\nUser-Agent: friendly-scanner\r\n\r\n")


def test_the_nonce_that_is_answered() -> None:
    nonce = "01a208cf4014b7383bbbc976eb31cd5c44d5b56c4983"
    assert nonce_in(SCAN + f'Authorization: Digest realm="k", nonce="{nonce}", nc=1\r\n'.encode()) == nonce
    assert nonce_in(SCAN + b'Authorization: Digest cnonce="0123456789abcdef"\r\n') is None
    assert nonce_in(SCAN) is None


@given(st.binary(max_size=3000))
def test_anything_can_be_looked_at(data: bytes) -> None:
    assert isinstance(is_scanner(data), bool)
    assert nonce_in(data) is None or b"nonce" in data
