"""What immutable values are made from."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct


class Value(Struct, frozen=True):
    """A struct that never changes once it is made; it compares and hashes by what is in it.

    Modules that may be compiled (see docs/adr/0016-cost-of-a-call.md) inherit from this one instead of from `Struct`:
    the compiler drops a class's keywords, so what they ask for must come from a base class. It is inherited; a
    subclass writes `frozen=True` all the same, for the type checker.
    """


NO_ENTRIES: Final[Mapping[Any, Any]] = {}
"""Stands in the place of what is empty of nearly every call: thousands stand, and an empty dictionary has 64 bytes."""


class Leaf(Value, frozen=True, gc=False):
    """A value of which no circle can be made, as nothing that it holds leads back to it: the collector passes it over.

    So it is 16 bytes smaller, and costs the collector nothing as long as it is there.
    """


class Key(Leaf, frozen=True, cache_hash=True):
    """A leaf by which much is looked up: its hash is worked out once and kept, in 8 bytes more."""


def same(one: object, other: object) -> bool:
    """Compare two values by what is in them: between two of one class the compiler writes `is` where `==` stands."""
    return one == other
