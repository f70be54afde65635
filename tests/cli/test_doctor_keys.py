"""What `kobza doctor` says of encryption that was left halfway, of recordings and of second factors."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kobza.app.doctor import keys, second_factors
from kobza.archive.archive import Archive
from kobza.archive.keys import Keys
from kobza.portal.vault import Vault
from kobza.store import Store, recording_keys, recordings, second_factor, users
from kobza.store.journal import JournalWriter
from kobza.store.place import Place
from tests.cli.conftest import Kobza
from tests.store.builders import recording

SOUND = b"sound" * 100


@pytest.fixture
def told(kobza: Kobza) -> Callable[[str], list[str]]:
    """What the doctor finds of a check: how it is, what is so, and what to do."""

    def look(check: str) -> list[str]:
        ran = kobza("doctor", "--json")
        assert ran.err == ""
        found = [each for each in json.loads(ran.out)["findings"] if each["check"] == check]
        return ["; ".join(filter(None, (each["state"], each["found"], each["advice"]))) for each in found]

    return look


def made(data: Path, place: Place, owners: dict[str, str], *, by: Path | None = None) -> None:
    """Record a call for each of some enterprises, by record id; encrypted by the newest key of a file."""
    archive = Archive(data / "recordings", keys=None if by is None else Keys.load(by))
    data.mkdir(exist_ok=True)
    plain = data / "plain.mp3"
    plain.write_bytes(SOUND)
    writer = JournalWriter(place)
    for record_id, owner in owners.items():
        values = {"path": f"{record_id}.mp3", "sha256": hashlib.sha256(SOUND).hexdigest(), "size": len(SOUND)}
        if by is None:
            archive.folder.put(f"{record_id}.mp3", plain)
        else:
            values["sealed"] = archive.seal(plain, f"{record_id}.mp3", record_id)
        writer.write([recording("ready", record_id=record_id, enterprise_id=owner, **values)])
    writer.write([recording("recording", record_id="under-way", enterprise_id="another")])
    writer.close()
    plain.unlink()


def test_recordings_that_are_not_encrypted_as_the_settings_say(
    kobza: Kobza,
    told: Callable[[str], list[str]],
    data: Path,
    place: Place,
    enterprise: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "recordings.keys"
    made(data, place, {"rec-1": enterprise, "rec-2": "another"})
    assert told(keys.CHECK) == []
    monkeypatch.setenv("KOBZA_RECORDINGS_KEYS", str(file))
    (finding,) = told(keys.CHECK)
    assert finding.startswith(f"bad; {file} cannot be read")

    assert kobza("recordings", "newkey", "--id", "first").code == 0
    halfway = (
        "look; {} recordings are not encrypted: whoever has their files hears them; "
        "kobza recordings seal encrypts these too; to stop encrypting: kobza recordings unseal"
    )
    kept = "good; {} in the file, the newest is {}; {} recordings need them"
    assert told(keys.CHECK) == [halfway.format("2 of 2"), kept.format(1, "first", 0)]
    made(data, place, {"rec-3": enterprise}, by=file)
    assert kobza("recordings", "seal", "--enterprise", enterprise).code == 0
    assert told(keys.CHECK) == [halfway.format("1 of 3"), kept.format(1, "first", 2)]
    store = Store.open(place)
    with store.write() as conn:  # as a command leaves it that is killed in the moment
        (plain,) = (each for each in recordings.page_ready(conn, None, 0, ("", ""), 9) if each.sealed is None)
        archive = Archive(data / "recordings", keys=Keys.load(file))
        assert recording_keys.begin_to_seal(conn, plain, archive.new_key(plain.record_id))
    store.close()
    assert told(keys.CHECK) == [
        (
            "look; 1 recordings were about to be encrypted: they can be played, and may not be encrypted yet; "
            "unless it is going on now, repeat kobza recordings seal"
        ),
        kept.format(1, "first", 3),
    ]
    assert kobza("recordings", "seal", "--json").json["encrypted"] == 1
    assert told(keys.CHECK) == [kept.format(1, "first", 3)]

    assert kobza("recordings", "newkey", "--id", "FIRST").code == 0
    made(data, place, {"rec-4": enterprise}, by=file)
    assert told(keys.CHECK) == [
        (
            "look; recordings need older keys than FIRST: first (3); these must stay in the file; "
            "kobza recordings rekey, once the server was started with the newest one"
        ),
        kept.format(2, "FIRST", 4),
    ]
    assert kobza("recordings", "rekey", "--json").json["rekeyed"] == 3
    assert told(keys.CHECK) == [kept.format(2, "FIRST", 4)]
    lines = file.read_text()
    file.write_text("".join(line for line in lines.splitlines(keepends=True) if not line.startswith("FIRST")))
    lost = "bad; 4 recordings need keys that are not in the file; bring those keys back from a copy"
    assert told(keys.CHECK) == [lost]

    file.write_text(lines)
    assert kobza("recordings", "unseal", "--enterprise", enterprise).code == 0
    assert told(keys.CHECK) == [halfway.format("3 of 4"), kept.format(2, "FIRST", 1)]
    monkeypatch.delenv("KOBZA_RECORDINGS_KEYS")
    assert told(keys.CHECK) == [
        (
            "bad; 1 of 4 recordings are encrypted, and the settings name no keys: they cannot be played; "
            "set recordings_keys; kobza recordings unseal decrypts them, if no more are to be encrypted"
        )
    ]
    monkeypatch.setenv("KOBZA_RECORDINGS_KEYS", str(file))
    assert kobza("recordings", "unseal").code == 0
    monkeypatch.delenv("KOBZA_RECORDINGS_KEYS")
    assert told(keys.CHECK) == []
    assert kobza("recordings", "verify", "--json").json["whole"] == 4


def test_second_factors_that_portal_key_does_not_open(
    told: Callable[[str], list[str]], data: Path, place: Place, enterprise: str
) -> None:
    def keep(vault: Vault | None) -> None:
        store = Store.open(place)
        with store.write() as conn:
            olena = users.find(conn, "olena")
            assert olena is not None
            kept = "JBSWY3DPEHPK3PXP" if vault is None else vault.keep(olena.user_id, "JBSWY3DPEHPK3PXP")
            second_factor.set_up(conn, olena.user_id, kept, 0, [])
        store.close()

    key, other = b"k" * 32, b"o" * 32
    assert told(second_factors.CHECK) == []
    keep(None)  # as an earlier release did
    assert told(second_factors.CHECK) == [
        "look; the secrets of 1 are not encrypted; the next start of the server encrypts them"
    ]
    data.mkdir(exist_ok=True)
    keep(Vault(key))
    assert told(second_factors.CHECK) == [
        f"bad; 1 are encrypted by portal.key, which is not there; {second_factors.BRING_BACK}"
    ]
    (data / "portal.key").write_bytes(other)
    assert told(second_factors.CHECK) == [
        f"bad; 1 of 1 were encrypted by another portal.key than is there; {second_factors.BRING_BACK}"
    ]
    (data / "portal.key").write_bytes(key)
    assert told(second_factors.CHECK) == ["good; 1, encrypted by portal.key"]
