"""The demo's office: an enterprise with four numbers in two departments, kept so that a second run finds it again."""

import json
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from kobza.app.server_error import ServerError
from kobza.call.directory import Package
from kobza.call.numbers import normalize
from kobza.portal.passwords import password_hash
from kobza.sip.digest import ha1
from kobza.store import Store, enterprises, meta, numbers, trunks
from kobza.store.place import Place

OFFICE_FILE: Final = "demo.json"
"""Beside the store: what the store keeps as hashes only, and the demo's phones and its visitor need in clear."""
LINE: Final = "outside line"
OUTSIDE_NUMBER: Final = "0501112233"
LOGIN: Final = "demo"
PACKAGES: Final = (Package.CONVERGENT, Package.API_FMC, Package.CALL_RECORDING)
PEOPLE: Final = (
    ("0671230001", "Olena Koval", "Sales"),
    ("0671230002", "Borys Tkachenko", "Sales"),
    ("0671230003", "Iryna Shevchuk", "Support"),
    ("0671230004", "Taras Bondar", "Support"),
)


@dataclass(frozen=True, slots=True)
class Desk:
    """A number of the office and the password of its phones."""

    number: str
    name: str
    department: str
    sip_password: str


@dataclass(frozen=True, slots=True)
class Office:
    """The demo's enterprise with all its secrets."""

    enterprise_id: str
    fmc_token: str
    integrator_id: str
    portal_password: str
    desks: tuple[Desk, ...]


def open_office(data: Path, place: Place, people: Sequence[tuple[str, str, str]] = PEOPLE) -> Office:
    """Return the office in a store, made there at the first time, with its secrets in a data directory; blocks.

    `people` have a number, a name and a department each; an office that was made before keeps its own.

    Raises:
        ServerError: the store is not the demo's.
        StoreError: the store cannot be used.

    """
    kept = data / OFFICE_FILE
    if not kept.exists():
        if isinstance(place, Path) and place.exists():
            raise ServerError(f"{data} has a store that is not the demo's: choose another directory with --data")
        return _make(data, place, kept, people)
    try:
        found = json.loads(kept.read_text())
        office = Office(**{**found, "desks": tuple(Desk(**desk) for desk in found["desks"])})
    except (ValueError, TypeError, KeyError) as error:
        raise ServerError(f"{kept} is damaged: remove {data}, then the demo begins anew") from error
    store = Store.create(place)
    try:
        with store.read() as conn:
            if enterprises.find(conn, office.enterprise_id) is None:
                raise ServerError(f"{kept} is of another store than {place}: choose another directory with --data")
    finally:
        store.close()
    return office


def put_line(store: Store, host: str, port: int) -> None:
    """Have the outside line lead to an address; blocks."""
    with store.write() as conn:
        trunks.remove(conn, LINE)
        trunks.add(conn, LINE, host, port)


def _make(data: Path, place: Place, kept: Path, people: Sequence[tuple[str, str, str]]) -> Office:
    store = Store.create(place)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    portal_password = secrets.token_urlsafe(9)
    now_ms = time.time_ns() // 1_000_000
    try:
        with store.write() as conn:
            if enterprises.list_all(conn):
                raise ServerError(f"the store in {place} is not the demo's: choose another one")
            added = enterprises.add(conn, "Demo bakery", LOGIN, password_hash(portal_password), now_ms)
            realm = meta.sip_realm(conn)
            desks = tuple(Desk(*person, secrets.token_urlsafe(9)) for person in people)
            for desk in desks:
                numbers.add(
                    conn,
                    normalize(desk.number),
                    added.enterprise_id,
                    name=desk.name,
                    department=desk.department,
                    packages=PACKAGES,
                    username=desk.number,
                    ha1_md5=ha1(desk.number, realm, desk.sip_password, "MD5"),
                    ha1_sha256=ha1(desk.number, realm, desk.sip_password, "SHA-256"),
                    now_ms=now_ms,
                )
            office = Office(added.enterprise_id, added.fmc_token, added.integrator_id, portal_password, desks)
            # Inside the transaction: a store without this file would be refused by the next run.
            with os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(asdict(office), file)
    finally:
        store.close()
    return office
