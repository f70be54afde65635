"""What the commands share that speak to a server over HTTP: where it is, who asks, times as people write them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from kobza.client import Kobza

UrlOption = Annotated[
    str, typer.Option("--url", metavar="URL", envvar="KOBZA_URL", help="The server, such as https://pbx.example.com.")
]
TokenOption = Annotated[str, typer.Option("--token", metavar="T", envvar="KOBZA_TOKEN", help="The FMC token.")]
IntegratorOption = Annotated[
    str, typer.Option("--integrator", metavar="ID", envvar="KOBZA_INTEGRATOR_ID", help="The integrator's id.")
]
FromOption = Annotated[
    str, typer.Option("--from", metavar="TIME", help="2026-03-01, 2026-03-01T09:30, today, yesterday, 12h or 7d ago.")
]
ToOption = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="The end, included; a date means all of it. Default: now.")
]

_AGO: Final = re.compile(r"([0-9]{1,6})([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


WITHOUT_END: Final = 1_000_000
"""Repetitions, half a minute apart in the end: a year."""


@contextmanager
def connected(
    url: str, token: str, integrator: str | None, *, language: str = "en", keys: bool = True, patient: bool = False
) -> "Iterator[Kobza]":
    """Open a client for one command.

    `keys`: the server heeds Idempotency-Key. `patient`: a server that went away is waited for, however long; else a
    person waits. Raises typer.BadParameter.
    """
    from kobza.client import Kobza, Retries

    retries = Retries(most=WITHOUT_END) if patient else Retries(most=2)
    try:
        client = Kobza(url, token, integrator, language=language, knows_idempotency_keys=keys, retries=retries)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--token" if "token" in str(error) else "--url") from None
    with client:
        yield client


def begin_of(text: str, now: datetime) -> datetime:
    """Return the moment at which an interval begins. `now` is aware. Raises typer.BadParameter."""
    return _time(text, now, "--from", time())


def end_of(text: str | None, now: datetime) -> datetime | None:
    """Return the last second of an interval, None for now. Raises typer.BadParameter."""
    return None if text is None else _time(text, now, "--to", time(23, 59, 59))


def moment_ms(text: str, now: datetime, option: str, *, end: bool = False) -> int:
    """Return a moment in milliseconds; of a date its beginning or its end. Raises typer.BadParameter."""
    from kobza.client.wall import KYIV

    at = _time(text, now, option, time(23, 59, 59) if end else time())
    return int((at if at.tzinfo is not None else at.replace(tzinfo=KYIV)).timestamp() * 1000)


def _time(text: str, now: datetime, option: str, of_day: time) -> datetime:
    """Return an aware moment, or a naive wall time of Kyiv."""
    from kobza.client.wall import KYIV

    word = text.strip().lower()
    ago = _AGO.fullmatch(word)
    today = now.astimezone(KYIV).date()
    try:
        if ago is not None:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        if word == "now":
            return now
        if word in ("today", "yesterday"):
            return datetime.combine(today - timedelta(days=word == "yesterday"), of_day)
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", word):
            return datetime.combine(datetime.fromisoformat(word).date(), of_day)
        return datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        pass
    raise typer.BadParameter(
        f"{text!r} is no time; write 2026-03-01, 2026-03-01T09:30:00, today, yesterday, 30m, 12h or 7d",
        param_hint=option,
    )


def wall_text(at: datetime | None) -> str:
    """Write a moment as people in Kyiv read it."""
    from kobza.client.wall import KYIV

    return "" if at is None else f"{at.astimezone(KYIV):%Y-%m-%d %H:%M:%S}"


def talk_text(seconds: int) -> str:
    """Write a duration as people read it: 14 s, 2:05, 1:00:07."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest} s"
