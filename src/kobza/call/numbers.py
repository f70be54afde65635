"""Telephone numbers: E.164 inside, national digits at the edge (contract, section 1)."""

import re
from functools import lru_cache
from typing import Final

import phonenumbers

from kobza.call.errors import NumberError

SHORT_CODE_DIGITS: Final = range(2, 7)
"""How many digits a short code has: "101", "112", "200300". They pass unchanged."""

MAX_NUMBER_LENGTH: Final = 40
"""Longest spelling looked at: 15 digits, and as many separators as anybody writes, with room to spare."""

_AS_IN: Final = ", as in 0671234567 or +380671234567"

_CACHED_NUMBERS: Final = 65_536
"""A number costs some 30 us and the same numbers come again and again; the bound is about 10 MB."""

_UKRAINIAN: Final = re.compile(r"\+380(?:[3-9][0-9]{8}|[89][0-9]{9})")

_SEPARATORS: Final = str.maketrans("", "", " \t\u00a0\u2009\u202f-\u2010\u2011\u2012\u2013./()")


@lru_cache(maxsize=_CACHED_NUMBERS)
def normalize(text: str, region: str = "UA") -> str:
    """Bring any usual spelling of a number to E.164 (`+380671234567`); short codes of 2 to 6 digits stay as they are.

    A number without a `+` is read as one of `region` and, when it cannot be one, as an international number written
    without its `+`, as trunks like to send them. Raises NumberError for anything that cannot be dialled.
    """
    if len(text) > MAX_NUMBER_LENGTH:
        raise NumberError("The number is too long.")
    digits = text.translate(_SEPARATORS)
    bare = digits.removeprefix("+")
    international = digits.startswith("+")
    if not bare.isdigit() or not bare.isascii():
        raise NumberError(f"{text!r} is no number: it consists of digits with an optional leading plus sign{_AS_IN}.")
    if not international and len(digits) in SHORT_CODE_DIGITS:
        return digits
    number = _possible(digits, region)
    if number is None and not international and digits[0] != "0":
        number = _possible("+" + digits, region)
    if number is None:
        raise NumberError(f"{text!r} is in no numbering plan: check how many digits it has{_AS_IN}.")
    return number


def _possible(digits: str, region: str) -> str | None:
    """Return the E.164 form, or None when no numbering plan has a number of this shape.

    Possible, not valid: which ranges of a plan are in use changes faster than the library's tables, and the network
    behind the trunk knows better. Of the home plan the form is checked closer, as a digit too many or too few is what
    people mistype, and the library takes `067123456` for a number that starts with a zero. What reads differently the
    second time (`+49000000`: the library drops a zero each time) is no number either.
    """
    number = _read(digits, region)
    if number is None or (number.startswith("+380") and not _UKRAINIAN.fullmatch(number)):
        return None
    return number if _read(number, region) == number else None


def _read(digits: str, region: str) -> str | None:
    """Return the library's E.164 form of a number whose length is right in its plan, or None."""
    try:
        number = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    formatted: str = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return formatted


def national(number: str) -> str:
    """Write a stored number as the contract shows it: `0671234567` for Ukraine, `+…` for others, short codes as is."""
    if number.startswith("+380"):
        return "0" + number[4:]
    return number
