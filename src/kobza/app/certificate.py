"""The certificate of an erasure: one document for programs, and the same for people, in English or Ukrainian."""

import hashlib
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final, Literal

import msgspec

from kobza.call.durations import rfc3339
from kobza.store import Store, enterprises, erasures

Language = Literal["en", "uk"]

BEYOND: Final = {
    "en": (
        "Backups that were made before: an erasure is to be repeated when one of them is restored.",
        "What other systems were told before, such as the CRM that gets the call states.",
        "Log files of the server and of telephones.",
        "The line itself, when the number is one of the enterprise's own: its settings and registrations.",
    ),
    "uk": (
        "Резервні копії, зроблені раніше: після відновлення з них стирання слід повторити.",
        "Те, що раніше отримали інші системи, наприклад CRM, якій надсилаються стани дзвінків.",
        "Журнали роботи сервера й телефонів.",
        "Сама лінія, якщо номер належить підприємству: її налаштування та реєстрації.",
    ),
}
"""What an erasure does not reach."""

WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "title": "Certificate of erasure",
        "enterprise": "Enterprise",
        "number": "Number (masked, because it is not kept)",
        "reference": "Reference",
        "erased_by": "Erased by",
        "started_at": "Begun",
        "finished_at": "Finished",
        "what": "What was erased",
        "calls": "calls in which the number was made anonymous",
        "events": "call states",
        "deliveries": "deliveries of call states",
        "attempts": "attempts to deliver, with what was answered",
        "promised_legs": "legs requested by click2dial",
        "idempotency_keys": "keys of click2dial requests",
        "diversions": "calls that the number sent on, in which it was made anonymous",
        "address_book": "entries of the address book",
        "recordings": "Recordings erased",
        "removed": "file removed",
        "shared": "its file stays: another enterprise has the same call",
        "kept": "What was not erased",
        "hold": "calls that a legal hold keeps",
        "not over": "calls that were not over, or whose recording was being made",
        "file": "calls whose recording could not be removed from the disk",
        "nothing": "nothing",
        "beyond": "What this does not reach",
        "unfinished": "THE ERASURE IS NOT FINISHED: repeat the command",
        "sha256": "SHA-256 of this certificate",
    },
    "uk": {
        "title": "Акт про стирання даних",
        "enterprise": "Підприємство",
        "number": "Номер (прихований, бо не зберігається)",
        "reference": "Підстава",
        "erased_by": "Хто стер",
        "started_at": "Початок",
        "finished_at": "Завершення",
        "what": "Що стерто",
        "calls": "дзвінків, у яких номер знеособлено",
        "events": "станів дзвінків",
        "deliveries": "доставок станів дзвінків",
        "attempts": "спроб доставки разом із відповідями",
        "promised_legs": "з'єднань, замовлених через click2dial",
        "idempotency_keys": "ключів запитів click2dial",
        "diversions": "дзвінків, переадресованих номером, у яких його знеособлено",
        "address_book": "записів адресної книги",
        "recordings": "Стерті записи розмов",
        "removed": "файл вилучено",
        "shared": "файл лишається: цей дзвінок є і в іншого підприємства",
        "kept": "Що не стерто",
        "hold": "дзвінків, стирання яких заборонено",
        "not over": "дзвінків, що ще тривали або запис яких ще створювався",
        "file": "дзвінків, запис яких не вдалося вилучити з диска",
        "nothing": "нічого",
        "beyond": "Чого це не стосується",
        "unfinished": "СТИРАННЯ НЕ ЗАВЕРШЕНО: повторіть команду",
        "sha256": "SHA-256 цього акта",
    },
}


def document(store: Store, erasure_id: str) -> dict[str, Any]:
    """Return the certificate of an erasure. Raises NotInStore.

    `sha256` is that of the document without it, as JSON without spaces, its keys in this order.
    """
    with store.read() as conn:
        erasure = erasures.get(conn, erasure_id)
        files = erasures.files(conn, erasure_id)
        enterprise = enterprises.find(conn, erasure.enterprise_id)
    finished, went = erasure.finished_at is not None, erasure.tally.went
    made: dict[str, Any] = {
        "certificate": erasure.erasure_id,
        "kobza": version("kobza"),
        "enterprise_id": erasure.enterprise_id,
        "enterprise": "" if enterprise is None else enterprise.name,
        "number": erasure.number if finished else erasures.masked(erasure.number),
        "reference": erasure.reference,
        "erased_by": erasure.erased_by,
        "started_at": rfc3339(erasure.started_at),
        "finished_at": None if erasure.finished_at is None else rfc3339(erasure.finished_at),
        "complete": finished and not erasure.tally.kept,
        # What an older release did not know of stays out of its certificates: their hashes are the same for ever.
        "erased": {kind: msgspec.to_builtins(went[kind]) for kind in erasures.KINDS if kind in went},
        "recordings": [
            {
                "record_id": each.record_id,
                "call_id": each.call_id,
                "sha256": each.sha256,
                "size": each.size,
                "file": "shared" if each.shared else "removed",
            }
            for each in files
        ],
        "kept": [msgspec.to_builtins(each) for each in erasure.tally.kept],
        "beyond": list(BEYOND["en"]),
    }
    return {**made, "sha256": hashlib.sha256(msgspec.json.encode(made)).hexdigest()}


def text(certificate: dict[str, Any], language: Language = "en") -> str:
    """Return a certificate for people."""
    words = WORDS[language]
    lines = [f"{words['title']} {certificate['certificate']}", ""]
    if certificate["finished_at"] is None:
        lines += [words["unfinished"], ""]
    facts = {
        "enterprise": f"{certificate['enterprise']} ({certificate['enterprise_id']})",
        "number": certificate["number"],
        "reference": certificate["reference"] or "-",
        "erased_by": certificate["erased_by"],
        "started_at": _moment(certificate["started_at"]),
        "finished_at": _moment(certificate["finished_at"]),
    }
    lines += [f"{words[name]}: {value}" for name, value in facts.items()]
    lines += ["", f"{words['what']}:"]
    for kind, went in certificate["erased"].items():
        lines.append(f"  {went['count']:>7}  {words[kind]}")
        if went["count"]:
            lines.append(f"           SHA-256 {went['sha256']}")
    lines += ["", f"{words['recordings']}: {len(certificate['recordings'])}"]
    for each in certificate["recordings"]:
        lines.append(f"  {each['record_id']}  {words[each['file']]}")
        if each["sha256"]:
            lines.append(f"    SHA-256 {each['sha256']}")
    lines += ["", f"{words['kept']}:"]
    lines += [f"  {each['calls']:>7}  {words[each['reason']]}" for each in certificate["kept"]] or [
        f"  {words['nothing']}"
    ]
    lines += ["", f"{words['beyond']}:", *(f"  - {each}" for each in BEYOND[language])]
    lines += ["", f"{words['sha256']}: {certificate['sha256']}", ""]
    return "\n".join(lines)


def _moment(told: str | None) -> str:
    if told is None:
        return "-"
    return datetime.fromisoformat(told).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
