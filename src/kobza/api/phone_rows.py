"""Statuses of numbers as JSON, written once for as long as nothing changes: listings of thousands are asked often."""

from collections.abc import Sequence
from typing import Any

import msgspec

from kobza.api.ports import PhoneStatus
from kobza.api.times import rfc3339
from kobza.call.numbers import national


class PhoneRows:
    """Statuses as JSON. A status that is the same object as the last time is not written anew.

    Kept are the rows of the last listing of all numbers of each enterprise, some 300 bytes for a number.
    """

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, tuple[PhoneStatus, bytes]]] = {}

    def document(self, enterprise_id: str, phones: Sequence[PhoneStatus], *, all_of_them: bool) -> bytes:
        """Return the answer. `all_of_them`: these are all numbers of the enterprise."""
        known = self._rows.get(enterprise_id, {})
        rows: dict[str, tuple[PhoneStatus, bytes]] = {}
        for phone in phones:
            number = phone.number
            row = known.get(number)
            if row is None or row[0] is not phone:
                row = (phone, msgspec.json.encode(_shown(phone)))
            rows[number] = row
        if all_of_them:
            self._rows[enterprise_id] = rows
        return b'{"phones":[' + b",".join([text for _, text in rows.values()]) + b"]}"


def _shown(phone: PhoneStatus) -> dict[str, Any]:
    return {
        "number": national(phone.number),
        "status": phone.status,
        "dnd": "on" if phone.dnd else "off",
        "devices": phone.devices,
        "since": None if phone.since is None else rfc3339(int(phone.since * 1000)),
    }
