"""The blocking and the asynchronous client have the same methods, parameters and results."""

import inspect
import typing
from collections.abc import Iterator
from typing import Any

import pytest

from kobza.client import AsyncCall, AsyncKobza, Call, Kobza


def surface(of: type[Any]) -> dict[str, Any]:
    return {name: member for name, member in vars(of).items() if callable(member) and not name.startswith("_")}


def plain(annotation: str) -> str:
    return annotation.replace("Async", "").replace("Generator[", "Iterator[").replace(", None]", "]").strip('"')


@pytest.mark.parametrize(("blocking", "on_asyncio"), [(Kobza, AsyncKobza), (Call, AsyncCall)])
def test_both_are_the_same(blocking: type[Any], on_asyncio: type[Any]) -> None:
    ours, theirs = surface(blocking), surface(on_asyncio)
    if blocking is Kobza:
        ours[""], theirs[""] = blocking.__init__, on_asyncio.__init__
    assert list(ours) == list(theirs)
    for name, method in ours.items():
        here, there = inspect.signature(method), inspect.signature(theirs[name])
        assert [str(item).replace("Async", "") for item in there.parameters.values()] == [
            str(item) for item in here.parameters.values()
        ], name
        if not name:
            continue
        kind = typing.get_origin(typing.get_type_hints(method).get("return"))
        iterates = kind is not None and issubclass(kind, Iterator)
        assert inspect.iscoroutinefunction(theirs[name]) is not (iterates or name == "call"), name
        assert plain(str(there.return_annotation)) == plain(str(here.return_annotation)), name
        assert theirs[name].__doc__ == method.__doc__
