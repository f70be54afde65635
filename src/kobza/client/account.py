"""On whose behalf is asked, and how patiently."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Retries:
    """When a request is repeated that may be: after a lost connection, 429, and 502 to 504 without a known reason.

    GET is always repeated; POST and the like only when nothing was sent, after a 429, and, with a key that keeps it
    from being done twice, `originate`.
    """

    most: int = 4
    """Repetitions of one request. With these waits a server that is restarted is back before they end."""
    first_wait: float = 0.5
    """Seconds before the first one; twice as long each time, with up to a quarter more by chance."""
    longest_wait: float = 30.0
    """Seconds; a server that asks for a longer wait (Retry-After) is not waited for: its refusal is raised."""
    chance: Callable[[], float] = field(default=random.random, repr=False)

    def wait(self, repetition: int) -> float:
        """Return the seconds to wait before a repetition: 1, 2, 3 …"""
        wait = self.first_wait * float(2 ** min(repetition - 1, 30)) * (1 + self.chance() / 4)
        return min(wait, self.longest_wait)


def utc_now() -> datetime:
    """Return this machine's time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Account:
    """A server and the integrator that speaks to it."""

    base_url: str
    token: str = field(repr=False)
    integrator_id: str | None = None
    """Not needed for the basic call information, for everything else."""
    language: str = "en"
    """Of the texts of causes: uk or en."""
    retries: Retries = field(default_factory=Retries)
    knows_idempotency_keys: bool = True
    """Whether the server heeds Idempotency-Key: Kobza does, the operator's service ignores it."""
    now: Callable[[], datetime] = field(default=utc_now, repr=False)

    def __post_init__(self) -> None:
        if not self.token or not self.token.isascii() or not self.token.isprintable() or " " in self.token:
            raise ValueError("the token must be ASCII characters without spaces")
        if self.language not in ("en", "uk"):
            raise ValueError("language must be en or uk")

    def integrator(self) -> str:
        """Return the integrator's id. Raises ValueError when there is none."""
        if not self.integrator_id:
            raise ValueError("integrator_id is needed for everything but call_statistics")
        return self.integrator_id


def clean_base_url(url: str) -> str:
    """Return the base URL without a slash at its end and without the path of the API, which is added to it.

    Raises ValueError, which says what is right.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
        (host or "").encode("idna")  # a label too long would otherwise be found out by the system's resolver alone
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise ValueError("the base URL must be like https://pbx.example.com")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("the base URL must have no user name, query or fragment")
    path = parts.path.rstrip("/").removesuffix("/v1").removesuffix("/api/fmc").removesuffix("/api/cdr")
    return f"{parts.scheme}://{parts.netloc}{path}"
