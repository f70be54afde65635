"""The documents that lamps read: RFC 4235 and 3863."""

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kobza.sip.dialog_info import MAX_DIALOGS, MAX_IDS, DialogInfo, WatchedDialog
from kobza.sip.pidf import pidf
from kobza.sip.subscription import MAX_UDP_BODY

SPACE = {"d": "urn:ietf:params:xml:ns:dialog-info"}
RINGING = WatchedDialog("leg-1", "early", False, "0671000002", 'Марія & "Co"', False, "c@1", "theirs", "ours")


def read(document: bytes | None) -> ElementTree.Element:
    assert document is not None
    return ElementTree.fromstring(document)


def states(document: bytes | None) -> dict[str, str]:
    found = read(document).findall("d:dialog", SPACE)
    return {each.attrib["id"]: str(each.findtext("d:state", None, SPACE)) for each in found}


def test_a_call_that_rings_can_be_picked_up() -> None:
    root = read(DialogInfo("101", "2001:db8::1").write([RINGING], full=True, most=None))
    assert root.attrib == {"version": "0", "state": "full", "entity": "sip:101@[2001:db8::1]"}
    (dialog,) = root
    assert dialog.attrib == {
        "id": "leg-1",
        "call-id": "c@1",
        "local-tag": "theirs",
        "remote-tag": "ours",
        "direction": "recipient",
    }
    assert dialog.findtext("d:state", None, SPACE) == "early"
    assert dialog.findtext("d:local/d:identity", None, SPACE) == "sip:101@[2001:db8::1]"
    identity = dialog.find("d:remote/d:identity", SPACE)
    assert identity is not None
    assert (identity.text, identity.attrib) == ("sip:0671000002@[2001:db8::1]", {"display": 'Марія & "Co"'})
    target = dialog.find("d:remote/d:target", SPACE)
    assert target is not None
    assert target.attrib == {"uri": "sip:0671000002@[2001:db8::1]"}


def test_only_what_has_changed_is_said() -> None:
    info = DialogInfo("101", "pbx")
    assert states(info.write([], full=True, most=None)) == {}
    assert info.write([], full=False, most=None) is None
    first = info.write([RINGING], full=False, most=None)
    assert read(first).attrib["state"] == "partial"
    assert read(first).attrib["version"] == "1"
    assert info.write([replace(RINGING)], full=False, most=None) is None
    talking = replace(RINGING, phase="confirmed")
    other = WatchedDialog("leg-2", "trying", True, "102")
    assert states(info.write([talking, other], full=False, most=None)) == {"leg-1": "confirmed", "leg-2": "trying"}
    assert states(info.write([other], full=False, most=None)) == {"leg-1": "terminated"}
    last = info.write([other], full=True, most=None)
    assert (states(last), read(last).attrib["version"]) == ({"leg-2": "trying"}, "4")
    assert b"call-id" not in (last or b"")


@pytest.mark.parametrize(("held", "rendering"), [(False, "yes"), (True, "no")])
def test_hold(held: bool, rendering: str) -> None:
    talking = replace(RINGING, phase="confirmed", initiator=True, held=held)
    (dialog,) = read(DialogInfo("101", "pbx").write([talking], full=True, most=None))
    param = dialog.find("d:local/d:target/d:param", SPACE)
    assert param is not None
    assert param.attrib == {"pname": "+sip.rendering", "pval": rendering}
    assert dialog.attrib["direction"] == "initiator"


def test_who_hides_has_no_name() -> None:
    document = DialogInfo("101", "pbx").write([WatchedDialog("x", "early", False, "")], full=True, most=None)
    (dialog,) = read(document)
    identity, target = dialog.find("d:remote/d:identity", SPACE), dialog.find("d:remote/d:target", SPACE)
    assert identity is not None
    assert target is not None
    assert (identity.text, identity.attrib) == ("sip:anonymous@anonymous.invalid", {})
    assert target.attrib == {"uri": "sip:anonymous@pbx"}


def test_ids_that_a_phone_made_too_long_are_left_out() -> None:
    document = DialogInfo("101", "pbx").write([replace(RINGING, call_id="x" * MAX_IDS)], full=True, most=None)
    assert b"call-id" not in (document or b"")
    assert states(document) == {"leg-1": "early"}


def test_a_document_for_a_datagram() -> None:
    """The first calls in full, then in short, then none: the most telling first."""
    many = [WatchedDialog(f"talks-{each}", "confirmed", True, f"06700000{each:02}") for each in range(30)]
    calls = [WatchedDialog("calls", "early", True, "1"), *many, RINGING]
    info = DialogInfo("101", "pbx.example.net")
    document = info.write(calls, full=True, most=MAX_UDP_BODY)
    assert document is not None
    assert len(document) <= MAX_UDP_BODY
    first, *others = read(document)
    assert first.attrib["id"] == "leg-1"
    assert first.find("d:remote", SPACE) is not None
    assert 1 < len(others) < 10
    assert all(each.find("d:remote", SPACE) is None for each in others[1:])
    gone = info.write([RINGING, *many[20:]], full=False, most=MAX_UDP_BODY)
    assert gone is not None
    assert len(gone) <= MAX_UDP_BODY
    assert read(gone).attrib["state"] == "full"  # what is over and what is new do not fit together
    assert len(states(info.write(calls, full=True, most=None))) == MAX_DIALOGS


def test_presence() -> None:
    document = pidf("101", "pbx", reachable=True, on_the_phone=True)
    space = {"p": "urn:ietf:params:xml:ns:pidf", "r": "urn:ietf:params:xml:ns:pidf:rpid"}
    root = read(document)
    assert root.attrib == {"entity": "sip:101@pbx"}
    assert root.findtext("p:tuple/p:status/p:basic", None, space) == "open"
    assert root.find(".//r:on-the-phone", space) is not None
    idle = read(pidf("101", "pbx", reachable=False, on_the_phone=False))
    assert idle.findtext("p:tuple/p:status/p:basic", None, space) == "closed"
    assert idle.find(".//r:on-the-phone", space) is None


NAMES = st.text(st.characters(), max_size=20)


@given(NAMES, NAMES, NAMES, st.integers(0, 900))
@settings(max_examples=60)
def test_any_names_make_a_document(user: str, name: str, call_id: str, most: int) -> None:
    dialog = replace(RINGING, remote_user=user, remote_name=name, call_id=call_id)
    for bound in (None, most):
        document = DialogInfo(user, "pbx").write([dialog], full=True, most=bound)
        assert read(document).attrib["state"] == "full"
    assert read(pidf(user, "pbx", reachable=True, on_the_phone=False)).tag.endswith("presence")
