"""The address book as CSV or vCard 3.0, which telephones and mail programs read. Made in the export process."""

from collections.abc import Iterator
from typing import Final

import vobject

from kobza.api.callstat_formats import csv_number
from kobza.api.exports.jobs import BookKind
from kobza.api.languages import Language
from kobza.call.numbers import national
from kobza.portal.contacts import Contact, contacts_of
from kobza.portal.texts import say_in
from kobza.store.address_book import Entry
from kobza.store.export import CallReader

AT_ONCE: Final = 20
"""Cards made before other exports have their turn: each takes half a millisecond."""


def book_pieces(reader: CallReader, enterprise_id: str, kind: BookKind, language: Language) -> Iterator[str]:
    """Return the file, piece by piece. It can be imported again as it is."""
    people = contacts_of([Entry(*row) for row in reader.book(enterprise_id)], ())
    if kind == "csv":
        say = say_in(language)
        yield "\ufeff" + _line(say("number"), say("name"), say("department"))
        yield "".join(_line(national(number), one.name, one.department) for one in people for number in one.numbers)
        return
    named = [one for one in people if one.name]
    for at in range(0, len(named), AT_ONCE):
        yield "".join(map(_card, named[at : at + AT_ONCE]))


def _line(*cells: str) -> str:
    return ",".join(map(csv_number, cells)) + "\r\n"


def _card(one: Contact) -> str:
    card = vobject.vCard()
    card.add("fn").value = one.name
    family, _, given = one.name.partition(" ")
    card.add("n").value = vobject.vcard.Name(family=family, given=given)
    for number in one.numbers:
        card.add("tel").value = number
    if one.department:
        card.add("org").value = ["", one.department]
    text: str = card.serialize()
    return text
