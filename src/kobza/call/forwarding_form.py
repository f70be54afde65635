"""Forwarding as people and programs write it, checked."""

from collections.abc import Mapping

from kobza.call.errors import NumberError
from kobza.call.forwarding import MAX_SECONDS, MIN_SECONDS, Forwarding, Occasion
from kobza.call.numbers import normalize


def forwarding_of(own: str, targets: Mapping[Occasion, str | None], after: int | None = None) -> Forwarding:
    """Return the forwarding of a number (normalized) by occasion; what is not named, None or empty is off.

    Raises NumberError, with the occasion as its parameter, for a target that cannot be dialled or is the number itself,
    and with `no_answer_after` for seconds outside 5 to 120.
    """
    checked = {occasion.value: target_of(own, text, occasion.value) for occasion, text in targets.items() if text}
    if after is not None and not MIN_SECONDS <= after <= MAX_SECONDS:
        text = f"A number rings {MIN_SECONDS} to {MAX_SECONDS} seconds before its calls go on, not {after}."
        raise NumberError(text, parameter="no_answer_after")
    if "no_answer" not in checked:
        after = None
    return Forwarding(**checked, no_answer_after=after)


def target_of(own: str, text: str, parameter: str) -> str:
    """Return a number (normalized) to which calls of another one are to go. Raises NumberError."""
    try:
        number = normalize(text)
    except NumberError as error:
        raise NumberError(error.detail, parameter=parameter) from None
    if number == own:
        raise NumberError("A number cannot be forwarded to itself.", parameter=parameter)
    return number
