"""How numbers are written on a trunk, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.call.errors import NumberError
from kobza.call.numbers import normalize
from kobza.call.trunk import NumberFormat, Trunk

CITY, WARSAW, SHORT = "+380441234567", "+48221234567", "101"


def trunk(**settings: str) -> Trunk:
    return Trunk("t", "t", "192.0.2.1", 5060, **settings)  # type: ignore[arg-type] # texts are the fields here


@pytest.mark.parametrize(
    ("form", "number", "written"),
    [
        ("e164", CITY, CITY),
        ("e164", SHORT, SHORT),
        ("digits", CITY, "380441234567"),
        ("digits", WARSAW, "48221234567"),
        ("digits", SHORT, SHORT),
        ("national", CITY, "0441234567"),
        ("national", WARSAW, "0048221234567"),
        ("national", SHORT, SHORT),
        ("national", "anonymous", "anonymous"),
    ],
)
def test_formats(form: str, number: str, written: str) -> None:
    line = trunk(number_format=NumberFormat(form))
    assert line.written(number) == written == line.called(number)


@pytest.mark.parametrize(
    ("form", "strip", "add", "called"),
    [
        ("e164", "+38", "", "0441234567"),
        ("national", "044", "", "1234567"),
        ("national", "032", "", "0441234567"),
        ("e164", "", "77#", "77#+380441234567"),
        ("national", "0", "9", "9441234567"),
    ],
)
def test_prefixes_of_the_number_called(form: str, strip: str, add: str, called: str) -> None:
    line = trunk(number_format=NumberFormat(form), strip=strip, add=add)
    assert line.called(CITY) == called
    assert line.written(CITY) == trunk(number_format=NumberFormat(form)).written(CITY)  # who calls has no prefix


@pytest.mark.parametrize(
    ("settings", "came", "read"),
    [
        ({}, "1234567", "1234567"),
        ({"strip_incoming": "77#"}, "77#0441234567", "0441234567"),
        ({"strip_incoming": "77#"}, "0441234567", "0441234567"),
        ({"add_incoming": "044"}, "1234567", "0441234567"),
        ({"add_incoming": "044"}, "0671234567", "0671234567"),
        ({"add_incoming": "044"}, "101", "101"),
        ({"add_incoming": "+"}, "380441234567", "380441234567"),
        ({"strip_incoming": "9", "add_incoming": "044"}, "91234567", "0441234567"),
    ],
)
def test_numbers_that_come_in(settings: dict[str, str], came: str, read: str) -> None:
    assert trunk(**settings).read(came) == read


TEXTS = st.text(st.characters(codec="utf-8"), max_size=50) | st.text("+0123456789", max_size=20)


@given(TEXTS, TEXTS, TEXTS)
def test_whatever_comes_in_is_read(text: str, strip: str, add: str) -> None:
    read = trunk(strip_incoming=strip, add_incoming=add).read(text)
    assert read.endswith(text.removeprefix(strip))


@given(st.sampled_from(NumberFormat), st.sampled_from([CITY, WARSAW, SHORT, "+12125550123"]))
def test_what_is_written_can_be_read_again(form: NumberFormat, number: str) -> None:
    assert normalize(trunk(number_format=form).written(number)) == number
    with pytest.raises(NumberError):
        normalize(trunk(number_format=form, add="77#").called(number))


@pytest.mark.parametrize(
    ("trunk", "certified", "incoming"),
    [
        (Trunk("t", "t", "SIP.carrier.example", 5061), "SIP.carrier.example", "sip.carrier.example"),
        (Trunk("t", "t", "[2001:db8::1]", 5061), "2001:db8::1", "2001:db8::1"),
        (Trunk("t", "t", "192.0.2.1", 5061, domain="carrier.example"), "carrier.example", "carrier.example"),
        (Trunk("t", "t", "192.0.2.1", 5061, client_name="Edge.carrier.example"), "192.0.2.1", "edge.carrier.example"),
    ],
)
def test_what_a_certificate_has_to_be_for(trunk: Trunk, certified: str, incoming: str) -> None:
    assert (trunk.certified_name, trunk.incoming_name) == (certified, incoming)


@pytest.mark.parametrize(
    ("user", "marked"),
    [("+380441234567", True), ("0441234567", False), ("112", False), ("77#+380441234567", False), ("+", False)],
)
def test_only_a_number_in_full_is_marked(user: str, *, marked: bool) -> None:
    assert Trunk("t", "line", "h", user_phone=True).marks(user) == ((("user", "phone"),) if marked else ())
    assert Trunk("t", "line", "h").marks(user) == ()
