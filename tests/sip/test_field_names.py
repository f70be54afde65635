"""One key for each header, in whatever spelling it comes."""

import pytest

from kobza.sip.errors import MalformedMessage
from kobza.sip.field_names import COMPACT_FORMS, header_key, known_key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Via", "via"),
        ("VIA", "via"),
        ("vIa", "via"),
        ("v", "via"),
        ("V", "via"),
        ("v \t", "via"),
        ("Via ", "via"),
        ("Call-Id", "call-id"),
        ("CALL-ID", "call-id"),
        ("I", "call-id"),
        ("X-Thing", "x-thing"),
        ("X-Thing ", "x-thing"),
        ("C%6Fntact", "c%6fntact"),
        ("!-.%*+_`'~", "!-.%*+_`'~"),
        ("z", "z"),
    ],
)
def test_keys(name: str, key: str) -> None:
    assert header_key(name) == key
    assert known_key(name) in (key, None)


@pytest.mark.parametrize("name", ["", " ", " Via", "Vi a", "Vía", "a,b", "a\x00", "\udcff", "<a>"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(MalformedMessage, match="not a header name"):
        header_key(name)


def test_compact_forms_are_known_in_both_cases() -> None:
    for letter, key in COMPACT_FORMS.items():
        assert known_key(letter) == known_key(letter.upper()) == header_key(key) == key
