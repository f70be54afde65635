"""Pieces of the grammar that headers share."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kobza
from kobza.sip import grammar
from kobza.sip.errors import MalformedMessage
from kobza.sip.grammar import Params


def test_tokens() -> None:
    assert grammar.is_token("a-.!%*_+`'~Z9")
    for text in ("", " ", "a b", "a:b", "é", "a\n"):
        assert not grammar.is_token(text)


def test_readable_text_has_no_controls_and_no_broken_bytes() -> None:
    assert grammar.readable("Оксана, O'Hara") == "Оксана, O'Hara"
    assert grammar.readable("a\tb\x00c\x7fd\x85e\udcfff") == "a\tb\ufffdc\ufffdd\ufffde\ufffdf"


def test_folds_are_one_space() -> None:
    assert grammar.unfold("a\r\n \t b\r\n\tc") == "a b c"


@pytest.mark.parametrize(
    ("quoted", "text"),
    [('"a"', "a"), ('""', ""), (r'"a\"b\\c\d"', 'a"b\\cd'), ("plain", "plain"), ('"', '"'), ('"\x00"', "\ufffd")],
)
def test_taking_quotes_off(quoted: str, text: str) -> None:
    assert grammar.unquote(quoted) == text


def test_quoting() -> None:
    assert grammar.quote("a") == '"a"'
    assert grammar.quote('a"b\\') == r'"a\"b\\"'
    assert grammar.quote("a\r\nVia: x") == '"a\ufffd\ufffdVia: x"'


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("000000000000000000005", 5), ("0" * 5000, 0)])
def test_numbers(text: str, number: int) -> None:
    assert grammar.parse_number(text, 100, "X header") == number


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "not a number"),
        ("-1", "not a number"),
        ("1.5", "not a number"),
        ("٣", "not a number"),
        ("²", "not a number"),
        ("101", "above 100"),
        ("1" * 60000, "above 100"),
        ("0" * 9 + "1000", "above 100"),
    ],
)
def test_what_is_no_number(text: str, what: str) -> None:
    with pytest.raises(MalformedMessage, match=what):
        grammar.parse_number(text, 100, "X header")


def test_texts_in_errors_are_short() -> None:
    assert grammar.shorten("a\x00" * 30) == repr(("a\ufffd" * 20)[:39] + "…")
    assert grammar.shorten("abc") == "'abc'"


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("", None),
        (" a ", ["a"]),
        ("a,b , c", ["a", "b", "c"]),
        ('"a,b" <sip:x,y>;p="<,", <z>', ['"a,b" <sip:x,y>;p="<,"', "<z>"]),
        (r'"\",", b', [r'"\","', "b"]),
        ("a,", None),
        (",a", None),
        ("a,,b", None),
        ('"a,b', None),
        ("<a,b", None),
        ('<a>,"b', None),
    ],
)
def test_lists(text: str, elements: list[str] | None) -> None:
    if elements is None:
        with pytest.raises(MalformedMessage, match=r"empty list element|unbalanced quote or bracket"):
            grammar.split_list(text, "X header")
    else:
        assert grammar.split_list(text, "X header") == elements


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("", ()),
        (";a", (("a", None),)),
        (" ; a = 1 ;\tb ", (("a", "1"), ("b", None))),
        (';q="x;y\\"";z=', (("q", '"x;y\\""'), ("z", ""))),
        (";;a;", (("a", None),)),
        (";a=b=c==", (("a", "b=c=="),)),
        (";a=[::1]:5060", (("a", "[::1]:5060"),)),
        (';t="Оксана\x07"', (("t", '"Оксана\x07"'),)),
        ("\t;a", (("a", None),)),
    ],
)
def test_params(text: str, params: grammar.Params) -> None:
    assert grammar.parse_params(text, "X header") == params


@pytest.mark.parametrize("text", ["a", ";a b", ';a="x', ';a="x"y', ";=b", ";a=b,c", ";a=<b>", ";a\x85", ";a=\udcff"])
def test_what_are_no_params(text: str) -> None:
    with pytest.raises(MalformedMessage, match="parameter"):
        grammar.parse_params(text, "X header")


def test_finding_replacing_and_writing_params() -> None:
    params = grammar.parse_params(';Tag="a b";lr;tag=c', "X header")
    assert grammar.find_param(params, "tag") == "a b"
    assert grammar.find_param(params, "lr") == ""
    assert grammar.find_param(params, "x") is None
    assert grammar.write_params(grammar.replace_param(params, "TAG", "n")) == ";TAG=n;lr;TAG=n"
    assert grammar.write_params(grammar.replace_param(params, "x", "a b")) == ';Tag="a b";lr;tag=c;x="a b"'
    assert grammar.write_params(grammar.replace_param((), "received", "2001:db8::1")) == ";received=2001:db8::1"
    assert grammar.write_params(grammar.replace_param((), "rport", None)) == ";rport"
    assert grammar.write_params(grammar.replace_param((), "e", "")) == ';e=""'


@given(st.text(alphabet='ab;=" \\,<>@:[é\x00', max_size=12))
def test_plain_parameters_read_as_all_others(text: str) -> None:
    """White space at the end, which means nothing, keeps them from the short way."""
    assert params(f";{text}") == params(f";{text} ")


def params(text: str) -> Params | None:
    try:
        return grammar.parse_params(text, "test")
    except MalformedMessage:
        return None


@pytest.mark.parametrize("text", ['"a', r'"a\"', '"a,b', "<a", '<a>"'])
def test_what_ends_too_early_is_not_read_in_part(text: str) -> None:
    with pytest.raises(MalformedMessage):
        grammar.split_list(f"{text},b", "test")


def test_no_pattern_repeats_a_group_possessively() -> None:
    """Python 3.11.2 of Debian 12 keeps what the last turn of `(?:x)*+` has read, though it failed."""
    sources = Path(kobza.__file__).parent.rglob("*.py")
    assert not [path for path in sources if re.search(r"\)[*+?]\+(?!`)", path.read_text())]
