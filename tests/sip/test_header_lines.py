"""Raw header lines: found under every name, changed in place, the rest left as it came."""

import pytest

from kobza.sip.errors import MalformedMessage
from kobza.sip.header_lines import MAX_HEADERS, HeaderLines, split_keys

LINES = ["VIA : one", "X-Odd:  a\r\n \t b ", "v:two, three", "Subject:", "Via: four"]


@pytest.fixture
def lines() -> HeaderLines:
    keys = keys_of(LINES)
    assert keys == ["via", "x-odd", "via", "subject", "via"]
    return HeaderLines(keys, list(LINES))


def keys_of(lines: list[str]) -> list[str] | None:
    return split_keys(lines)


def raw(lines: HeaderLines) -> list[str]:
    return lines._lines


def test_reading(lines: HeaderLines) -> None:
    assert lines.get("Via") == lines.get("V") == lines.get("vIA") == "one"
    assert lines.get_all("via") == lines.get_all("VIA") == ["one", "two, three", "four"]
    assert lines.get("X-ODD") == "a b"
    assert lines.get("s") == ""
    assert lines.get("X-None") is None
    assert lines.get_all("X-None") == []
    assert lines.tokens("Via") == ["one", "two", "three", "four"]
    assert lines.tokens("subject") == lines.tokens("x-none") == []
    assert lines.items()[:2] == [("VIA", "one"), ("X-Odd", "a b")]
    with pytest.raises(MalformedMessage, match="not a header name"):
        lines.get("a b")


def test_a_broken_list_names_its_header(lines: HeaderLines) -> None:
    lines.add("Require", "a,,b")
    with pytest.raises(MalformedMessage, match="empty list element") as raised:
        lines.tokens("Require")
    assert raised.value.where == "Require header"


def test_setting_replaces_all_at_the_place_of_the_first(lines: HeaderLines) -> None:
    lines.set("Via", "new")
    assert raw(lines) == ["Via: new", LINES[1], LINES[3]]
    lines.set("Subject", "Оксана")
    assert raw(lines)[2] == "Subject: Оксана"
    lines.set("X-New", "n")
    assert raw(lines)[3] == "X-New: n"
    assert lines.get("x-new") == "n"


def test_adding_and_prepending(lines: HeaderLines) -> None:
    lines.add("v", "last")
    lines.prepend("Via", "first")
    assert lines.get_all("via") == ["first", "one", "two, three", "four", "last"]
    assert raw(lines)[1:-1] == LINES


def test_removing(lines: HeaderLines) -> None:
    lines.remove("V")
    lines.remove("X-None")
    assert raw(lines) == [LINES[1], LINES[3]]
    assert lines.get("via") is None


def test_replacing_the_first_only(lines: HeaderLines) -> None:
    lines._replace_first("Via", "new")
    assert lines.get_all("via") == ["new", "two, three", "four"]
    lines._replace_first("Via", None)
    assert lines.get_all("via") == ["two, three", "four"]


def test_lines_go_into_another_message_byte_for_byte(lines: HeaderLines) -> None:
    other = HeaderLines([], [])
    other.extend(lines.lines_of(("via", "x-odd")))
    assert raw(other) == [LINES[0], LINES[1], LINES[2], LINES[4]]


@pytest.mark.parametrize("change", ["set", "add", "prepend"])
def test_nobody_can_forge_a_header_through_a_value(lines: HeaderLines, change: str) -> None:
    for value in ("a\r\nVia: x", "a\nb", "a\rb"):
        with pytest.raises(MalformedMessage, match="line break in a value"):
            getattr(lines, change)("Subject", value)
    with pytest.raises(MalformedMessage, match="not Unicode text"):
        getattr(lines, change)("Subject", "\ud800")
    for name in ("a b", "a:", "a\r\nb", ""):
        with pytest.raises(MalformedMessage, match="not a header name"):
            getattr(lines, change)(name, "x")
    getattr(lines, change)("Subject", "tab\tand \udcff byte")
    assert raw(lines).count("Subject: tab\tand \udcff byte") == 1


def test_splitting() -> None:
    assert keys_of([]) == []
    assert keys_of(["Via: a", " folded: line"]) is None
    assert keys_of(["Via: a", "\tfolded"]) is None
    with pytest.raises(MalformedMessage, match="no colon") as raised:
        keys_of(["Via: a", "rubbish"])
    assert raised.value.where == "header line 2"
    with pytest.raises(MalformedMessage, match="not a header name") as raised:
        keys_of(["a b: c"])
    assert raised.value.where == "header line 1"


def test_the_number_of_lines_is_bounded() -> None:
    assert keys_of(["a: b"] * MAX_HEADERS) == ["accept-contact"] * MAX_HEADERS
    with pytest.raises(MalformedMessage, match="more than 256 header lines") as raised:
        keys_of(["a: b"] * (MAX_HEADERS + 1))
    assert raised.value.sip_status == 513


def test_what_allow_says() -> None:
    said = HeaderLines(["allow", "allow"], ["Allow: INVITE, ACK", "Allow: INFO"])
    assert [said.allows(method) for method in ("INVITE", "INFO", "UPDATE")] == [True, True, False]
    assert HeaderLines([], []).allows("INFO") is None
