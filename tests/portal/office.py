"""An office at work: as much on every page as a real one has. For looking at pages, and for their pictures."""

from datetime import date
from zoneinfo import ZoneInfo

from kobza.call.forwarding import Forwarding
from kobza.call.group import RingingGroup, Strategy
from kobza.call.heard import HeardCall, HeardSide
from kobza.call.hours import DEFAULT_ZONE, Span, WorkingHours
from kobza.store import (
    address_book,
    audit,
    endpoints,
    groups,
    hours,
    numbers,
    quality,
    saved_filters,
    tokens,
    users,
)
from kobza.store.audit import By
from kobza.store.entries import DetailStored
from kobza.store.fill import fill
from kobza.store.messages import Message, SipLadder
from kobza.store.tokens import Scope, parse_networks
from kobza.store.users import Role
from tests.api.world import ALICE, BORYS, BOTH, OUTSIDE, PLAIN, Leg, Phone, World
from tests.portal.people import add_people
from tests.portal.recorded import CALL, add_recorded_call
from tests.store.builders import kept_ladder

CALLS = 1200
DAYS = 45
STAFF = (
    ("+380671110001", "Наталія Бондаренко", "Збут"),
    ("+380671110002", "Дмитро Лисенко", "Збут"),
    ("+380671110003", "Соломія Гнатюк", "Збут"),
    ("+380671110004", "Тарас Мельник", "Підтримка"),
    ("+380671110005", "Ірина Шевчук", "Підтримка"),
    ("+380671110006", "Юлія Мар'яненко-Савицька", "Підтримка"),
    ("+380671110007", "Андрій Кравець", "Склад"),
    ("+380671110008", "Оксана Яковенко", "Бухгалтерія"),
    ("+380671110009", "Остап Їжакевич", "Керівництво"),
)
GROUP = "+380443334455"
OPERATOR_CALLED = "+380501112244"


def furnish(world: World) -> None:
    """Fill an enterprise: people, numbers, groups, a month of calls, one with everything, tokens, a remote system."""
    own, now_ms = world.own.enterprise_id, int(world.at * 1000)
    add_people(world)
    olena = By("portal", "olena", "192.0.2.14")
    with world.store.write() as conn:
        users.change(conn, own, "olena", role=Role.ADMIN, name="Олена Коваль", number=ALICE)
        for number, name, department in STAFF:
            with audit.noted(conn, olena, "number.added", own, number, now_ms - 86_400_000 * 40):
                numbers.add(conn, number, own, name, department, BOTH)
        book = [
            address_book.Entry(BORYS, "Борис Ткачук", "Склад"),
            address_book.Entry(PLAIN, "Богдан Щербак", "Склад"),
            address_book.Entry(OPERATOR_CALLED, "Клієнт, «А» (другий номер)", ""),
        ]
        address_book.put(conn, own, book)
        with audit.noted(conn, olena, "number.forwarding", own, BORYS, now_ms - 7_200_000):
            numbers.set_forwarding(conn, own, BORYS, Forwarding(busy=GROUP, no_answer=OUTSIDE, no_answer_after=25))
        with audit.noted(conn, By("api", "CRM", "203.0.113.7"), "number.dnd", own, STAFF[6][0], now_ms - 3_600_000):
            numbers.set_dnd(conn, own, STAFF[6][0], True, now_ms + 3_600_000)
        support = tuple(number for number, _, department in STAFF if department == "Підтримка")
        sales = (ALICE, *(number for number, _, department in STAFF if department == "Збут"))
        groups.put(conn, RingingGroup("700", own, "Підтримка", Strategy.ALL, support, 25, then=ALICE))
        with audit.noted(conn, olena, "group.set", own, GROUP, now_ms - 5_000_000):
            groups.put(conn, RingingGroup(GROUP, own, "Магазин", Strategy.LONGEST_IDLE, sales, 15, then="700"))
        tokens.add(conn, own, now_ms - 86_400_000, name="CRM")
        reports = {"scopes": [Scope.HISTORY], "networks": parse_networks(["203.0.113.0/24"])}
        tokens.add(conn, own, now_ms, name="Звіти", expires_at=now_ms + 30 * 86_400_000, **reports)  # type: ignore[arg-type]
        endpoints.set(conn, own, "https://crm.example.com/hooks", "t", "s" * 32, now_ms=now_ms)
        for name, query in (("Пропущені сьогодні", "outcome=missed"), ("Записи збуту", "q=Збут&recorded=yes")):
            found = users.find(conn, "olena")
            assert found is not None
            saved_filters.save(conn, found.user_id, name, query)
        shop = (Span(9 * 60, 18 * 60),)
        week = (shop, shop, shop, shop, shop, (Span(10 * 60, 15 * 60),), ())
        hours.put(conn, own, "", WorkingHours(ZoneInfo(DEFAULT_ZONE), week, {date(2026, 5, 1): ()}, closed_to="700"))
        by = By("portal", "svitlana", "192.0.2.20")
        audit.note(conn, by, "recording.heard", own, "r1", now_ms - 600_000, label="Олена Коваль → Клієнт, «А»")
    fill(world.store, own, CALLS, DAYS, now_ms=now_ms)
    add_recorded_call(world)
    began = int((world.at - 3600) * 1000)
    world.journal.write(
        [
            DetailStored(CALL, "sip_ladder", kept_ladder(SipLadder(began, ["caller", "phone"], said()))),
            DetailStored(CALL, "quality", quality.written(heard())),
        ]
    )
    work(world)


def said() -> list[Message]:
    """Return the messages of a call that was answered, held, and ended by the caller."""
    return [
        Message(0, 0, False, "INVITE"),
        Message(1, 0, True, "401 Unauthorized"),
        Message(24, 0, False, "ACK"),
        Message(26, 0, False, "INVITE"),
        Message(28, 0, True, "100 Trying"),
        Message(33, 1, True, "INVITE"),
        Message(1980, 1, False, "180 Ringing"),
        Message(1984, 0, True, "180 Ringing"),
        Message(6990, 1, False, "200 OK"),
        Message(6994, 1, True, "ACK"),
        Message(6995, 0, True, "200 OK"),
        Message(7020, 0, False, "ACK"),
        Message(20_000, 0, False, "INVITE"),
        Message(20_003, 0, True, "200 OK"),
        Message(20_030, 0, False, "ACK"),
        Message(47_010, 0, False, "BYE"),
        Message(47_012, 0, True, "200 OK"),
        Message(47_013, 1, True, "BYE"),
        Message(47_030, 1, False, "200 OK"),
    ]


def heard() -> HeardCall:
    """Return how both sides heard each other: one well, one with some loss."""
    return HeardCall(HeardSide(2000, 0, 22, 2.4, 38.6, 4.1), HeardSide(2000, 0, 0, 1.1, 38.6, 4.4))


def work(world: World) -> None:
    """Have some talk, one ring, one hold, others be free or away."""
    calls = (
        (ALICE, OUTSIDE, "outgoing", "established", 65, "on"),
        (STAFF[3][0], "+380501234567", "incoming", "held", 190, "paused"),
        (STAFF[0][0], "+380677654321", "incoming", "alerting", 4, None),
        (STAFF[1][0], STAFF[4][0], "local", "established", 31, None),
        (STAFF[4][0], STAFF[1][0], "local", "established", 31, None),
    )
    busy = {call[0] for call in calls}
    world.commands.legs = [
        Leg(f"c{at}", f"leg{at}", number, other, direction, state, world.at - ago, recording)  # type: ignore[arg-type]
        for at, (number, other, direction, state, ago, recording) in enumerate(calls, 1)
    ]
    everybody = [ALICE, BORYS, PLAIN, *(number for number, _, _ in STAFF)]
    world.commands.phones = [
        Phone(number, "busy", dnd=False, devices=1, since=world.at - 65)
        if number in busy
        else Phone(number, "unavailable", dnd=False, devices=0, since=None)
        if number in (PLAIN, STAFF[7][0])
        else Phone(number, "available", dnd=number == STAFF[6][0], devices=1 + at % 2, since=world.at - 900 * (at + 1))
        for at, number in enumerate(everybody)
    ]
