"""Fields of forms, and bodies that are none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kobza.api.forms import MAX_FIELDS, form_fields

URLENCODED = "application/x-www-form-urlencoded"
BOUNDARY = "----a"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def part(disposition: str, value: str) -> str:
    return f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n{value}\r\n"


def parts(*each: str) -> bytes:
    return ("".join(each) + f"--{BOUNDARY}--\r\n").encode()


@pytest.mark.parametrize(
    ("kind", "body", "fields"),
    [
        (URLENCODED, b"a=1&b=&a=%D1%97+x", [("a", "1"), ("b", ""), ("a", "ї x")]),
        (f"{URLENCODED.upper()}; charset=utf-8", b"a=%FF", [("a", "\ufffd")]),
        (URLENCODED, b"a=1&" * (MAX_FIELDS + 1), []),
        (
            MULTIPART,
            parts(part('form-data; name="a"', "ї x"), part("form-data; name=b", "")),
            [("a", "ї x"), ("b", "")],
        ),
        (MULTIPART, parts(part('form-data; name="a"; filename="x.txt"', "1")), []),
        (MULTIPART, parts(part("form-data", "1")), []),
        (MULTIPART, parts(*[part('form-data; name="a"', "1")] * (MAX_FIELDS + 1)), []),
        (MULTIPART, b"no part at all", []),
        ("multipart/form-data", parts(part('form-data; name="a"', "1")), []),
        ("application/json", b'{"a": 1}', []),
        ("", b"a=1", []),
    ],
)
def test_fields(kind: str, body: bytes, fields: list[tuple[str, str]]) -> None:
    assert form_fields(kind, body) == fields


KINDS = st.sampled_from([URLENCODED, MULTIPART, 'multipart/form-data; boundary="', "multipart/form-data; boundary*=x"])
PIECES = st.sampled_from(
    [b"--" + BOUNDARY.encode(), b"\r\n", b"Content-Disposition: form-data; name", b"=", b'"a"', b"&"]
)
BODIES = st.lists(PIECES | st.binary(max_size=8), max_size=30).map(b"".join)


@settings(deadline=None)
@given(KINDS | st.text(), BODIES)
def test_no_body_breaks_it(kind: str, body: bytes) -> None:
    for field in form_fields(kind, body):
        assert all(isinstance(each, str) for each in field)


@settings(deadline=None)
@given(st.lists(st.tuples(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), st.text("abcї 1", max_size=9)), max_size=5))
def test_what_a_client_sends_is_read_as_it_was(fields: list[tuple[str, str]]) -> None:
    body = parts(*(part(f'form-data; name="{name}"', value) for name, value in fields))
    assert form_fields(MULTIPART, body) == fields
