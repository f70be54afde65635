"""The keys of recordings: whether all are there that recordings need, and whether all recordings are encrypted by them.

All is told by what the store says of each recording. No file is looked at, here or in the bucket.
"""

from collections.abc import Iterable
from typing import Final

from kobza.app.archiving import keys_of
from kobza.app.doctor.findings import Finding, bad, good, look
from kobza.archive.keys import Keys, KeysWrong
from kobza.config.settings import Settings, store_place
from kobza.store import Store, recording_keys
from kobza.store.recording_keys import Forms

CHECK: Final = "keys of recordings"


def keys(settings: Settings) -> Iterable[Finding]:
    """Look at them. Nothing is said where nothing is encrypted, nor is to be."""
    try:
        known = keys_of(settings)
    except KeysWrong as error:
        yield bad(CHECK, str(error), "bring the key file back from its copy, or kobza recordings newkey")
        return
    store = Store.open(store_place(settings))
    try:
        with store.read() as conn:
            forms = recording_keys.forms(conn, known.ids if known is not None else ())
    finally:
        store.close()
    if known is not None:
        yield from _with(known, forms)
    elif forms.sealed:
        yield bad(
            CHECK,
            f"{forms.sealed} of {forms.sealed + forms.plain} recordings are encrypted, and the settings name no keys: "
            "they cannot be played",
            "set recordings_keys; kobza recordings unseal decrypts them, if no more are to be encrypted",
        )


def _with(known: Keys, forms: Forms) -> Iterable[Finding]:
    if forms.plain:
        yield look(
            CHECK,
            f"{forms.plain} of {forms.sealed + forms.plain} recordings are not encrypted: whoever has their files "
            "hears them",
            "kobza recordings seal encrypts these too; to stop encrypting: kobza recordings unseal",
        )
    if forms.turning:
        yield look(
            CHECK,
            f"{forms.turning} recordings were about to be encrypted: they can be played, and may not be encrypted yet",
            "unless it is going on now, repeat kobza recordings seal",
        )
    if older := [f"{key} ({forms.needed[key]})" for key in known.ids if key != known.newest and forms.needed[key]]:
        yield look(
            CHECK,
            f"recordings need older keys than {known.newest}: {', '.join(older)}; these must stay in the file",
            "kobza recordings rekey, once the server was started with the newest one",
        )
    if lost := forms.needed[""]:
        yield bad(CHECK, f"{lost} recordings need keys that are not in the file", "bring those keys back from a copy")
    else:
        said = f"{len(known.ids)} in the file, the newest is {known.newest}; {forms.sealed} recordings need them"
        yield good(CHECK, said)
