"""The lite end of ICE: who is believed, and what is answered."""

import pytest

from kobza.rtp.ice import MAX_ADDRESSES, IceLite
from kobza.rtp.stun import (
    BINDING,
    FAILURE,
    INDICATION,
    REQUEST,
    SUCCESS,
    StunAttribute,
    StunMessage,
    mapped_address,
    write,
)

TRANSACTION = b"transaction!"
BROWSER = ("192.0.2.1", 4000)
STRANGER = ("192.0.2.66", 6666)
NAME = (StunAttribute.USERNAME, b"ours:theirs")
NOMINATED = (StunAttribute.USE_CANDIDATE, b"")


@pytest.fixture
def ice() -> IceLite:
    made = IceLite()
    made.configure("ours", "password", "theirs")
    return made


def check(*attributes: tuple[int, bytes], password: str | None = "password", kind: int = REQUEST) -> bytes:
    return write(kind, TRANSACTION, (NAME, *attributes), password)


def answer(ice: IceLite, data: bytes, source: tuple[str, int] = BROWSER) -> StunMessage:
    told = ice.receive(data, source)
    assert told is not None
    message = StunMessage.parse(told)
    assert (message.method, message.transaction) == (BINDING, TRANSACTION)
    return message


def status(message: StunMessage) -> int:
    assert message.kind == FAILURE
    error = message.get(StunAttribute.ERROR_CODE)
    assert error is not None
    return error[2] * 100 + error[3]


def test_a_check_is_answered_with_the_address_it_came_from(ice: IceLite) -> None:
    message = answer(ice, check((StunAttribute.PRIORITY, bytes(4)), (StunAttribute.ICE_CONTROLLING, bytes(8))))
    assert message.kind == SUCCESS
    assert message.is_signed_with("password")
    assert message.attributes == (mapped_address(*BROWSER, TRANSACTION),)
    assert ice.knows(BROWSER)
    assert ice.selected is None


def test_the_peer_selects_the_way_and_may_move(ice: IceLite) -> None:
    answer(ice, check(NOMINATED))
    assert ice.selected == BROWSER
    answer(ice, check(), ("192.0.2.2", 5000))
    assert ice.selected == BROWSER
    answer(ice, check(NOMINATED), ("192.0.2.2", 5000))
    assert ice.selected == ("192.0.2.2", 5000)
    assert ice.knows(BROWSER)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (check(NOMINATED, password="guessed"), 401),
        (write(REQUEST, TRANSACTION, ((StunAttribute.USERNAME, b"ours:other"), NOMINATED), "password"), 401),
        (check(NOMINATED, (0x7000, b"")), 420),
        (check(NOMINATED, (StunAttribute.ICE_CONTROLLED, bytes(8))), 487),
    ],
)
def test_a_stranger_changes_nothing(ice: IceLite, data: bytes, expected: int) -> None:
    answer(ice, check(NOMINATED))
    message = answer(ice, data, STRANGER)
    assert status(message) == expected
    assert message.is_signed_with("password") is (expected in (420, 487))
    assert ice.selected == BROWSER
    assert not ice.knows(STRANGER)


@pytest.mark.parametrize(
    "data",
    [
        b"\0\x01",
        check(kind=INDICATION),
        check(kind=SUCCESS),
        check(NOMINATED, password=None),
        write(REQUEST, TRANSACTION, (NOMINATED,), "password"),
        write(0x0002, TRANSACTION, (NAME,), "password"),  # another method
    ],
)
def test_what_is_no_check_is_not_answered(ice: IceLite, data: bytes) -> None:
    assert ice.receive(data, STRANGER) is None
    assert not ice.knows(STRANGER)


def test_a_restart_keeps_the_way_until_another_one_is_selected(ice: IceLite) -> None:
    answer(ice, check(NOMINATED))
    ice.configure("ours", "another", "theirs")
    assert ice.selected == BROWSER
    assert status(answer(ice, check(NOMINATED), ("192.0.2.2", 5000))) == 401
    assert answer(ice, check(NOMINATED, password="another"), ("192.0.2.2", 5000)).kind == SUCCESS
    assert ice.selected == ("192.0.2.2", 5000)


@pytest.mark.parametrize("name", [b"", b"ours:other", b"o" * 500])
def test_an_answer_to_a_stranger_is_no_longer_than_what_asked_for_it(ice: IceLite, name: bytes) -> None:
    asked = write(REQUEST, TRANSACTION, ((StunAttribute.USERNAME, name),), "guessed")
    answered = ice.receive(asked, STRANGER)
    assert answered is not None
    assert len(answered) <= len(asked)


def test_only_so_many_addresses_are_remembered(ice: IceLite) -> None:
    for port in range(MAX_ADDRESSES + 1):
        answer(ice, check(), ("192.0.2.1", port))
        answer(ice, check(), ("192.0.2.1", 0))
    known = [port for port in range(MAX_ADDRESSES + 1) if ice.knows(("192.0.2.1", port))]
    assert known == [0, *range(2, MAX_ADDRESSES + 1)]
