"""Ranges, languages, YAML and the access log."""

import logging

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kobza.api.access_log import MaskTokens, mask_query
from kobza.api.languages import language_of
from kobza.api.ranges import ByteRange, RangeNotSatisfiableError, matches_etag, parse_range
from kobza.api.yaml import to_yaml


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-0", (0, 0)),
        ("bytes=0-99", (0, 99)),
        ("bytes=10-", (10, 99)),
        ("bytes=90-500", (90, 99)),
        ("bytes=-10", (90, 99)),
        ("bytes=-500", (0, 99)),
        ("Bytes = 5 - 6", (5, 6)),
        ("bytes=6-5", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
        ("bytes=1234567890123456789-", None),
    ],
)
def test_ranges_of_100_bytes(header: str | None, expected: tuple[int, int] | None) -> None:
    assert parse_range(header, 100) == (None if expected is None else ByteRange(*expected))


@pytest.mark.parametrize(("header", "size"), [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=-1", 0), ("bytes=0-", 0)])
def test_ranges_behind_the_end(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiableError):
        parse_range(header, size)


@given(st.text(max_size=40) | st.from_regex(r"bytes=[0-9]{0,20}-[0-9]{0,20}", fullmatch=True), st.integers(0, 10**12))
def test_any_range_is_within_the_size_or_none(header: str, size: int) -> None:
    try:
        part = parse_range(header, size)
    except RangeNotSatisfiableError:
        return
    assert part is None or 0 <= part.first <= part.last < size


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, False), ('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False), ("a", False)],
)
def test_entity_tags(header: str | None, expected: bool) -> None:
    assert matches_etag(header, '"a"') is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "en"),
        ("uk", "uk"),
        ("uk-UA,uk;q=0.9,en;q=0.8", "uk"),
        ("en-US,en;q=0.9,uk;q=0.8", "en"),
        ("de, uk;q=0.1", "uk"),
        ("de", "en"),
        ("*", "en"),
        ("en;q=0, *;q=0.5", "uk"),
        ("uk;q=high, ,;;", "en"),
        ("UK", "uk"),
    ],
)
def test_languages(header: str | None, expected: str) -> None:
    assert language_of(header) == expected


SECRET = "5ec3e7" * 10


@pytest.mark.parametrize(
    "target",
    [
        f"/api/cdr/v1/callstat.csv?token={SECRET}&from=x",
        f"/x?from=1&token={SECRET}",
        f"/x?TOKEN={SECRET}",
        f"/x?%74oken={SECRET}",
        f"/x?t%6Fk%65n={SECRET}",
        f"/x?token={SECRET};a=b",
        f"token={SECRET}",
    ],
)
def test_the_token_is_masked_wherever_it_stands(target: str) -> None:
    assert SECRET not in mask_query(target)
    assert "=***" in mask_query(target)


@pytest.mark.parametrize("target", ["/api/fmc/{}", "/x?integrator_id={}", "/x?access_token={}", "/x?a={}&token=1"])
def test_what_looks_like_a_token_is_masked_too(target: str) -> None:
    token = "5Ec3e7" * 10 + "0a1B"
    assert token not in mask_query(target.format(token))
    assert "***" in mask_query(target.format(token))


def test_other_parameters_are_left_as_they_are() -> None:
    assert mask_query("/x?from=1&mytoken_=2&to=3") == "/x?from=1&mytoken_=2&to=3"


def test_the_servers_own_access_log_is_masked() -> None:
    arguments = ("127.0.0.1:1", "GET", f"/x?token={SECRET}", "1.1", 200)
    record = logging.LogRecord("uvicorn.access", 20, "", 0, '%s - "%s %s HTTP/%s" %d', arguments, None)
    assert MaskTokens().filter(record)
    assert SECRET not in record.getMessage()
    assert "200" in record.getMessage()


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_yaml_is_read_back_as_it_was(value: object) -> None:
    assert yaml.safe_load(to_yaml(value)) == value


@pytest.mark.parametrize(
    "text", ["yes", "Null", "1e3", "2026-03-01", "a: b", "a #b", "- a", "", " a", "a ", "0671", "~"]
)
def test_texts_that_look_like_something_else_stay_texts(text: str) -> None:
    assert yaml.safe_load(to_yaml({"key": text})) == {"key": text}
