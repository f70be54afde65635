"""The bucket of the recordings: whether it answers, and what is on its way there."""

from collections.abc import Iterable, Mapping
from typing import Final

from kobza.app.archiving import bucket_of
from kobza.app.doctor.findings import Finding, bad, good, look
from kobza.archive.home import HomeAway
from kobza.config.settings import Settings
from kobza.store.recording_homes import AWAY, BACK, REFUSED, UPLOADING, WAITING

CHECK: Final = "bucket"
MANY: Final = 1000
"""Recordings that wait, from which on somebody should look: an hour of a busy office."""


def bucket(settings: Settings, homes: Mapping[str, int]) -> Iterable[Finding]:
    """Look at it; `homes` is how many recordings are where. Nothing is said where there never was a bucket."""
    there = sum(homes.get(each, 0) for each in AWAY)
    back = homes.get(BACK, 0)
    waiting = homes.get(WAITING, 0) + homes.get(UPLOADING, 0)
    if refused := homes.get(REFUSED, 0):
        yield bad(
            CHECK,
            f"{refused} recordings were not uploaded: their files are not what was recorded",
            "kobza recordings verify names them; put files of a backup in their place",
        )
    home = bucket_of(settings)
    if home is None:
        if there + back:
            said = f"{there + back} recordings are in a bucket, and the settings name none"
            yield bad(CHECK, said, "set s3_bucket again")
        return
    try:
        versions = home.look()
    except HomeAway as error:
        yield bad(CHECK, str(error), "look at the service, at s3_endpoint, s3_bucket and the keys")
        return
    if versions:
        yield look(
            CHECK,
            f"{home} keeps old versions: a recording that is erased is not gone there",
            "switch versions off, or have a rule of the bucket delete them within days",
        )
    if waiting > MANY:
        yield look(CHECK, f"{waiting} recordings wait for it", "look whether the server runs, and at its log")
    again = f", {back} are here again and still there (kobza recordings fetch)" if back else ""
    yield good(CHECK, f"{home} answers; {there} recordings are there, {waiting} wait{again}")
