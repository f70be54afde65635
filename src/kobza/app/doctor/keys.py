"""The keys of recordings: whether all are there that recordings need."""

from collections.abc import Iterable
from typing import Final

from kobza.app.archiving import keys_of
from kobza.app.doctor.findings import Finding, bad, good
from kobza.archive.keys import KeysWrong
from kobza.config.settings import Settings, store_place
from kobza.store import Store, recording_keys

CHECK: Final = "keys of recordings"


def keys(settings: Settings, sealed: int) -> Iterable[Finding]:
    """Look at them; `sealed` recordings are encrypted. Nothing is said where none ever was."""
    try:
        known = keys_of(settings)
    except KeysWrong as error:
        yield bad(CHECK, str(error), "bring the key file back from its copy, or kobza recordings newkey")
        return
    if known is None:
        if sealed:
            yield bad(CHECK, f"{sealed} recordings are encrypted, and the settings name no keys", "set recordings_keys")
        return
    store = Store.open(store_place(settings))
    try:
        with store.read() as conn:
            lost = recording_keys.counts(conn, known.ids)[""]
    finally:
        store.close()
    if lost:
        yield bad(CHECK, f"{lost} recordings need keys that are not in the file", "bring those keys back from a copy")
    else:
        yield good(CHECK, f"{len(known.ids)} in the file, the newest is {known.newest}; {sealed} recordings need them")
