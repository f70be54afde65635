"""The requests of the client as values, and what an operation can ask of the outside world.

Each function of the API is written once, as a generator without I/O: it yields an effect, is sent what came of it, and
returns its result. `kobza.client.drivers` carries effects out, blocking or on asyncio, so the two clients cannot drift.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request below the base URL."""

    method: str
    path: str
    query: Pairs = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    """Without Authorization: the driver adds it, so that no request that is shown has a secret."""
    body: bytes | None = field(default=None, repr=False)
    token_in_query: bool = False
    """The older interfaces take the token as a parameter; it is added last, behind everything that logs."""
    silence: float = 0.0
    """Seconds for which the answer may say nothing, even when the client is less patient."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of an answer whose body is read piece by piece."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request; comes back with an Answer. Raises TransportFailed."""

    request: Request


@dataclass(frozen=True, slots=True)
class Open:
    """Send a request and read no body yet; comes back with a Head. The answer opened before is closed."""

    request: Request


@dataclass(frozen=True, slots=True)
class Read:
    """Read the next piece of the opened answer, b"" at its end. Raises TransportFailed."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """Call a function that may take a while, such as writing to a disk; comes back with its result."""

    function: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Emit:
    """Hand an item to whoever iterates."""

    item: Any


Effect = Send | Open | Read | Pause | Work | Emit

T = TypeVar("T")
Operation = Generator[Effect, Any, T]
"""Returns T once it is carried out."""
