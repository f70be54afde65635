"""The system page: how the whole installation is, for the operator. It renews itself every few seconds."""

from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.problems import not_found
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.formats import clock_text, decimal_text, duration_text, moment_text, size_text
from kobza.portal.frame import common
from kobza.portal.rendering import page_language
from kobza.portal.system_port import BackupMade, QueueNow, SystemNow, SystemPort
from kobza.portal.texts import Say, say_in

EXAMINED_EVERY: Final = 900.0
"""Seconds after which a visit has the doctor look again: it asks trunks and receivers of webhooks over the network."""
OLD_BACKUP_MS: Final = 2 * 86_400_000
"""Age of a backup from which on it is marked."""
LATE: Final = 0.1
"""Seconds of lag that people hear."""
OLD_QUEUE: Final = 60.0
"""Seconds from which on what waits is marked."""
LITTLE_DISK: Final = 0.05
"""The free part of the disk below which it is marked."""
NOT_RECORDED: Final = 2
"""The level of room from which on new calls are not recorded."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure. `state` is how it is marked: empty, `look` or `bad`."""

    key: str
    value: str
    note: str = ""
    state: str = ""


async def system_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The page."""
    return await _answer(portal, request, "system.html", visitor)


async def system_now(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """What of it changes: what the script asks for again and again."""
    return await _answer(portal, request, "system_now.html", visitor)


async def examine(portal: Portal, _request: Request, _visitor: Visitor, _form: Form) -> Response:
    """Have the doctor look now."""
    _system(portal).examine()
    return RedirectResponse("/system#doctor", 303)


def _system(portal: Portal) -> SystemPort:
    """Return the installation. Raises ApiError 404 where this process does not know it."""
    if portal.system is None:
        raise not_found()
    return portal.system


async def _answer(portal: Portal, request: Request, template: str, visitor: Visitor) -> Response:
    system, now, say = _system(portal), portal.context.now(), say_in(page_language(request))
    if system.examined is None or now - system.examined.at > EXAMINED_EVERY:
        system.examine()
    state, examined = await system.now(), system.examined
    return portal.pages.page(
        request,
        template,
        **common(visitor),
        system=state,
        tiles=_tiles(state, now, say),
        backups=[_backup(each, now, say) for each in state.backups],
        at=clock_text(int(now * 1000), seconds=True),
        examining=system.examining,
        examined=examined,
        examined_at="" if examined is None else clock_text(int(examined.at * 1000), seconds=True),
    )


def _tiles(state: SystemNow, now: float, say: Say) -> list[Tile]:
    free = state.disk_free / max(1, state.disk_total)
    rate = say("system_per_second", rate=decimal_text(state.calls_per_second, say))
    phones = f"{state.registered} / {state.numbers}"
    up = duration_text(int(now - state.started_at), say)
    return [
        Tile("system_calls", str(state.calls), say.count("system_talking", state.talking)),
        Tile("system_load", rate, _lag(state, say), _late(state)),
        Tile("system_registered", phones, say.count("system_enterprises", state.enterprises)),
        _queue("system_owed", state.owed, say, _held_back(state, say)),
        _queue("system_journal", state.journal, say, say.count("system_spools", state.spools)),
        Tile(
            "system_media",
            say("system_media_up" if state.media_up else "system_media_down"),
            _media_parts(state, say)
            + say("system_ports", used=state.ports_used, all=state.ports)
            + (f" · {say.count('system_deaths', state.media_deaths)}" if state.media_deaths else ""),
            "bad" if not state.media_up else "" if all(state.media_parts) else "look",
        ),
        *_bucket(state, say),
        Tile("system_door", say.count("system_bans", state.bans), say("system_dropped", count=state.dropped)),
        Tile(
            "system_disk",
            size_text(state.disk_free, say),
            say("system_disk_of", all=size_text(state.disk_total, say))
            + (f" · {say('system_not_recorded')}" if state.room >= NOT_RECORDED else ""),
            "bad" if free < LITTLE_DISK or state.room >= NOT_RECORDED else "look" if state.room else "",
        ),
        Tile("system_up", up, moment_text(int(state.started_at * 1000), say)),
    ]


def _media_parts(state: SystemNow, say: Say) -> str:
    """Say how many of several that share the calls are up; "" where there is one."""
    if len(state.media_parts) < 2:
        return ""
    return say("system_media_parts", up=sum(state.media_parts), all=len(state.media_parts)) + " · "


def _lag(state: SystemNow, say: Say) -> str:
    if state.lag is None:
        return say("system_lag_unknown")
    return say("system_lag_beyond" if state.lag_beyond else "system_lag", ms=f"{state.lag * 1000:g}")


def _late(state: SystemNow) -> str:
    return "look" if state.lag is not None and (state.lag_beyond or state.lag > LATE) else ""


def _queue(key: str, queue: QueueNow | None, say: Say, note: str) -> Tile:
    if queue is None:
        return Tile(key, "—", say("system_store_away"), "bad")
    oldest = say("system_oldest", time=duration_text(int(queue.oldest), say)) if queue.waiting else ""
    words = " · ".join(word for word in (oldest, note) if word)
    return Tile(key, str(queue.waiting), words, "look" if queue.waiting and queue.oldest > OLD_QUEUE else "")


def _bucket(state: SystemNow, say: Say) -> list[Tile]:
    """Return the figure of the bucket, where there is one."""
    if state.bucket is None:
        return []
    tile = _queue("system_bucket", state.bucket, say, "" if state.bucket_up else say("system_bucket_away"))
    return [tile if state.bucket_up else replace(tile, state="bad")]


def _held_back(state: SystemNow, say: Say) -> str:
    waiting = 0 if state.held_back is None else state.held_back.waiting
    return say.count("system_held_back", waiting) if waiting else ""


@dataclass(frozen=True, slots=True)
class BackupRow:
    """A backup as the page shows it."""

    made: str
    path: str
    size: str
    with_recordings: bool
    old: bool


def _backup(made: BackupMade, now: float, say: Say) -> BackupRow:
    return BackupRow(
        made=moment_text(made.made_at, say),
        path=made.path,
        size=size_text(made.size, say),
        with_recordings=made.with_recordings,
        old=now * 1000 - made.made_at > OLD_BACKUP_MS,
    )
