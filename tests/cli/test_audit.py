"""What commands change is in the audit."""

import getpass
import re
from pathlib import Path
from typing import Final

from kobza.store import Store, audit
from kobza.store.audit import AuditSearch, Entry
from kobza.store.place import Place
from tests.cli.conftest import Kobza

NUMBER, HOTLINE = "0671234567", "0800123456"
UNNOTED: Final = {
    "deliveries.py": "what is sent once more is no setting",
    "init.py": "makes the store itself",
    "changing.py": "notes",
    "recording_keys.py": "which key a file has is no setting; the sound stays the same",
}
"""Commands that write without a note, and why."""


def entries(place: Place) -> list[Entry]:
    store = Store.open(place)
    with store.read() as conn:
        found = audit.page(conn, AuditSearch(None), None, 100)
    store.close()
    return found[::-1]


def test_every_command_that_changes_something_is_noted(kobza: Kobza, place: Place) -> None:
    kobza("init")
    own = kobza("enterprise", "add", "Bakery", "--admin", "olena", "--password", "secret", "--json").json
    of = ("--enterprise", own["enterprise_id"])
    token = kobza("token", "add", *of, "--name", "CRM", "--json").json["token_id"]
    hold_id = None
    for arguments in (
        ("token", "rotate", token, *of),
        ("token", "revoke", token, *of),
        ("number", "add", NUMBER, *of, "--name", "Olena"),
        ("number", "set", NUMBER, *of, "--new-sip-password"),
        ("presentation", "add", HOTLINE, *of),
        ("presentation", "remove", HOTLINE, *of),
        ("trunk", "add", "carrier", "--host", "192.0.2.1", "--port", "5060"),
        ("trunk", "set", "carrier", "--username", "044", "--password", "remote-password"),
        ("trunk", "remove", "carrier"),
        ("webhook", "set", *of, "--url", "https://crm.example.com", "--token", "remote"),
        ("retention", "set", *of, "--history", "400"),
        ("hold", "add", *of, "--number", NUMBER, "--reason", "court", "--by", "counsel"),
        ("person", "add", "borys", *of, "--role", "employee", "--number", NUMBER),
        ("person", "set", "borys", "--role", "supervisor"),
        ("person", "reset", "borys"),
        ("person", "remove", "borys"),
        ("number", "remove", NUMBER, *of),
    ):
        ran = kobza(*arguments, "--json")
        assert ran.code == 0, ran.err
        hold_id = ran.json.get("hold_id", hold_id)
    assert kobza("hold", "remove", str(hold_id), "--reason", "over", "--by", "counsel").code == 0
    noted = entries(place)
    assert [entry.action for entry in noted] == [
        *("enterprise.added", "token.added", "token.rotated", "token.revoked", "number.added", "number.changed"),
        *("presentation.added", "presentation.removed", "trunk.added", "trunk.changed", "trunk.removed", "webhook.set"),
        *("retention.set", "hold.placed", "person.added", "person.changed", "person.reset", "person.removed"),
        *("number.removed", "hold.ended"),
    ]
    assert {entry.who for entry in noted} == {getpass.getuser(), "counsel"}
    assert {entry.via for entry in noted} == {"cli"}
    assert {entry.enterprise_id for entry in noted} == {own["enterprise_id"], None}
    assert not re.search(r"remote|\$argon2|[0-9a-f]{64}", str([(entry.before, entry.after) for entry in noted]))


def test_no_command_writes_past_the_audit() -> None:
    folder = Path(__file__).parents[2] / "src/kobza/cli"
    writing = {path.name for path in folder.glob("*.py") if "store.write()" in path.read_text("utf-8")}
    assert writing == UNNOTED.keys(), "use kobza.cli.changing, or say here why not"
