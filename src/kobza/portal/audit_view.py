"""Entries of the audit as people read them."""

from dataclasses import dataclass
from typing import Any, Final

from kobza.call.forwarding import Occasion
from kobza.portal.formats import moment_text, phone_text, wall_moment
from kobza.portal.texts import Say
from kobza.store.audit import Entry

MOMENTS: Final = frozenset({"expires_at", "revoked_at", "dnd_until", "clip_until", "override_until"})
NUMBERS: Final = frozenset(
    {
        "number",
        "supervisor",
        "presentation_number",
        "mobile",
        "then_number",
        "closed_to",
        *(f"forward_{occasion.value}" for occasion in Occasion),
    },
)
_NOTHING: Final = "–"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One setting that differs."""

    name: str
    before: str | None
    """None: the thing was not there before, or nothing was."""
    after: str | None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One entry."""

    at: str
    who: str
    via: str
    address: str
    enterprise: str
    """Its name, its id when it is no more; empty: it is about none."""
    action: str
    """Key of its text."""
    subject: str
    key: str
    call_id: str
    """The call that it is about, or whose recording; empty: it is about none."""
    changes: list[FieldChange]


def action_key(action: str) -> str:
    """Return the key of the text that says an action."""
    return f"audit_{action.replace('.', '_')}"


def audit_row(entry: Entry, names: dict[str, str], say: Say) -> AuditRow:
    """Return one entry; `names` are those of enterprises by their ids."""
    key = phone_text(entry.subject, say) if entry.subject.startswith("+") else entry.subject
    if entry.subject == entry.enterprise_id or (entry.action, key) == ("person.signed_in", entry.who):
        key = ""  # what an enterprise has one of; who it was is said already
    return AuditRow(
        at=f"{moment_text(entry.at, say)}:{wall_moment(entry.at):%S}",
        who=entry.who,
        via=entry.via,
        address=entry.address,
        enterprise="" if entry.enterprise_id is None else names.get(entry.enterprise_id, entry.enterprise_id),
        action=action_key(entry.action),
        subject=entry.label,
        key="" if key == entry.label else key,
        call_id=_call_of(entry),
        changes=_changes(entry, say),
    )


def _call_of(entry: Entry) -> str:
    if entry.action.startswith("call."):
        return entry.subject
    return entry.label if entry.action.startswith("recording.") else ""


def _changes(entry: Entry, say: Say) -> list[FieldChange]:
    before, after = entry.before, entry.after
    names = list(dict.fromkeys([*(before or {}), *(after or {})]))
    return [
        FieldChange(
            name,
            None if before is None else _value(name, before.get(name), say),
            None if after is None else _value(name, after.get(name), say),
        )
        for name in names
    ]


def _value(name: str, value: Any, say: Say) -> str:
    if value in (None, "", []):
        return _NOTHING
    if isinstance(value, bool):
        return say("yes" if value else "no")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if name in MOMENTS and isinstance(value, int):
        return moment_text(value, say)
    return phone_text(value, say) if name in NUMBERS else str(value)
