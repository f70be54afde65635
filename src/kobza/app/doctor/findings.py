"""What a look at an installation finds."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """How it is."""

    GOOD = "good"
    LOOK = "look"
    """It works, and somebody should look at it before it does not."""
    BAD = "bad"
    """Something does not work, or soon will not."""


class Finding(NamedTuple):
    """One thing that was looked at."""

    check: str
    state: State
    found: str
    """What is so, in words."""
    advice: str = ""
    """What to do, when it is not good."""


Check = Callable[[], Iterable[Finding]]


def good(check: str, found: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(check, State.GOOD, found)


def look(check: str, found: str, advice: str) -> Finding:
    """Return a finding that somebody should look at."""
    return Finding(check, State.LOOK, found, advice)


def bad(check: str, found: str, advice: str) -> Finding:
    """Return a finding that something has to be done about."""
    return Finding(check, State.BAD, found, advice)


def collect(checks: Iterable[tuple[str, Check]]) -> list[Finding]:
    """Make all checks; one that fails itself is a finding too, and keeps no other from being made."""
    findings: list[Finding] = []
    for name, check in checks:
        try:
            findings += check()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the installation must not stop the doctor
            told = str(error).splitlines()[0] if str(error) else type(error).__name__
            findings.append(bad(name, f"it cannot be looked at: {told}", "mend what it says, and look again"))
    return findings


def healthy(findings: Iterable[Finding]) -> bool:
    """Tell whether nothing is bad."""
    return all(finding.state is not State.BAD for finding in findings)
