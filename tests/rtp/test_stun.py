"""STUN against the test vectors of RFC 5769, and what is no STUN."""

import pytest

from kobza.rtp.errors import MalformedStun
from kobza.rtp.stun import (
    BINDING,
    MAX_ATTRIBUTES,
    REQUEST,
    SUCCESS,
    StunAttribute,
    StunMessage,
    error_code,
    mapped_address,
    unknown_attributes,
    write,
)

PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
RFC_REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff"
    "80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf"
)
"""RFC 5769, section 2.1."""
RFC_RESPONSE = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96"
)
"""RFC 5769, section 2.2."""


def test_the_request_of_the_rfc() -> None:
    message = StunMessage.parse(RFC_REQUEST)
    assert (message.method, message.kind, message.transaction) == (BINDING, REQUEST, TRANSACTION)
    assert message.get(StunAttribute.USERNAME) == b"evtj:h6vY"
    assert message.get(StunAttribute.ICE_CONTROLLED) == bytes.fromhex("932ff9b151263b36")
    assert message.get(StunAttribute.USE_CANDIDATE) is None
    assert message.is_signed_with(PASSWORD)
    assert not message.is_signed_with(PASSWORD + "x")
    assert message.unknown == ()


def test_the_response_of_the_rfc() -> None:
    message = StunMessage.parse(RFC_RESPONSE)
    assert message.kind == SUCCESS
    assert message.is_signed_with(PASSWORD)
    name, value = mapped_address("192.0.2.1", 32853, TRANSACTION)
    assert message.get(name) == value


def test_a_mapped_address_of_ipv6() -> None:
    # RFC 5769, section 2.3
    _, value = mapped_address("2001:db8:1234:5678:11:2233:4455:6677%eth0", 32853, TRANSACTION)
    assert value == bytes.fromhex("0002a1470113a9faa5d3f179bc25f4b5bed2b9d9")


@pytest.mark.parametrize("password", [None, "secret"])
def test_what_is_written_can_be_read(password: str | None) -> None:
    attributes = (error_code(420, "Unknown Attribute"), unknown_attributes((1, 0x7FFF)))
    message = StunMessage.parse(write(SUCCESS, TRANSACTION, attributes, password))
    assert message.attributes == attributes
    assert attributes[0][1] == b"\0\0\x04\x14Unknown Attribute"
    assert attributes[1][1] == b"\x00\x01\x7f\xff"
    assert message.is_signed_with("secret") is (password is not None)


def test_what_follows_the_signature_is_not_read() -> None:
    signed = write(REQUEST, TRANSACTION, (), "secret")[:-8]
    more = b"\x00\x25\x00\x00"
    message = StunMessage.parse(signed[:2] + (len(signed) - 20 + 4).to_bytes(2, "big") + signed[4:] + more)
    assert message.get(StunAttribute.USE_CANDIDATE) is None
    assert message.is_signed_with("secret")


def test_what_must_be_understood_and_is_not() -> None:
    message = StunMessage.parse(write(REQUEST, TRANSACTION, ((0x7000, b""), (0x8FFF, b"abc"), (0x25, b""))))
    assert message.unknown == (0x7000,)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "shorter"),
        (RFC_REQUEST[:19], "shorter"),
        (b"\x40" + RFC_REQUEST[1:], "no STUN"),
        (RFC_REQUEST[:4] + bytes(4) + RFC_REQUEST[8:], "no STUN"),
        (RFC_REQUEST + b"\0", "length"),
        (RFC_REQUEST[:-4], "length"),
        (RFC_REQUEST[:-1] + b"\0", "fingerprint"),
        (RFC_REQUEST[:30] + b"\0" + RFC_REQUEST[31:], "fingerprint"),
        (write(REQUEST, TRANSACTION, ((0x0008, b"abcd"),)), "20 bytes"),
        (write(REQUEST, TRANSACTION, ((0x8028, b"abcd"), (0x25, b""))), "fingerprint"),
        (write(REQUEST, TRANSACTION, ((0x25, b""),) * MAX_ATTRIBUTES), "too many"),
        (b"\0\x01\0\x04" + RFC_REQUEST[4:20] + b"\0\x06\0\x05", "cut off"),
    ],
)
def test_what_is_malformed_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedStun, match=reason):
        StunMessage.parse(data)


def test_an_address_that_a_socket_of_both_families_tells_is_one_of_ipv4() -> None:
    assert mapped_address("::ffff:192.0.2.1", 32853, TRANSACTION) == mapped_address("192.0.2.1", 32853, TRANSACTION)
