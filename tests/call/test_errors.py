"""Errors that users see: a stable code, two statuses, and whose fault it is."""

import pytest

from kobza.call import errors
from kobza.call.errors import Fault, KobzaError, NoRouteError, NumberError


def test_an_error_says_what_when_and_whose() -> None:
    error = NumberError("Too long.", parameter="destination")
    assert str(error) == error.detail == "Too long."
    assert (error.code, error.http_status, error.sip_status) == ("invalid_number", 400, 484)
    assert (error.parameter, error.fault) == ("destination", Fault.CALLER)


def test_an_instance_may_differ() -> None:
    error = KobzaError("Not now.", code="journal_full", http_status=503, sip_status=503)
    assert (error.code, error.http_status, error.sip_status, error.fault) == ("journal_full", 503, 503, Fault.OURS)
    assert KobzaError("?").http_status == 500


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("originator_busy", 409),
        ("originator_unreachable", 409),
        ("no_route", 503),
        ("wrong_state", 409),
        ("not_found", 404),
        ("no_answer_from_phone", 504),
        ("service_not_enabled", 403),
        ("presentation_not_allowed", 403),
        ("invalid_number", 400),
    ],
)
def test_the_codes_of_the_contract(code: str, status: int) -> None:
    (kind,) = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, KobzaError) and kind.code == code
    ]
    assert kind.http_status == status


def test_no_route_is_404_for_a_phone() -> None:
    assert NoRouteError("?").sip_status == 404
