"""All that the doctor looks at, in the order in which it is told."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kobza.app.certificates import shown_files
from kobza.app.doctor import bucket, keys, machine, media, network, openid, second_factors, trunks
from kobza.app.doctor.findings import Check, Finding, bad, collect, good, look
from kobza.config.loading import ConfigError, Loaded
from kobza.config.settings import name_servers, retention_terms, store_place
from kobza.store import Store, health
from kobza.store.errors import StoreError, StoreMissing, StoreOutdated
from kobza.store.health import Facts
from kobza.store.place import PostgresUrl

DAY_MS: Final = 24 * 3_600_000
BACKUP_DAYS: Final = 7
"""Age of the last backup from which on somebody should look."""
LATE_DAYS: Final = 2
"""Days for which what is too old may still be there: it is deleted once an hour."""


@dataclass
class Examination:
    """One look at an installation."""

    loaded: Loaded
    thorough: bool = False
    now_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    facts: Facts | None = None
    told: dict[str, Any] | None = None

    def findings(self) -> list[Finding]:
        """Look at everything; blocks, for seconds when something does not answer."""
        settings = self.loaded.settings
        self.told = network.running(settings)
        first: list[tuple[str, Check]] = [
            ("settings", self._settings),
            ("Python", machine.python),
            ("time zones", machine.zones),
            ("clock", machine.clock),
            ("open files", lambda: machine.limits(len(settings.rtp_ports.ports))),
            ("media processes", lambda: machine.processors(settings.media_processes)),
            ("media priority", lambda: machine.priority(settings.media_priority)),
            ("disk", lambda: machine.disk(settings.data, settings.recordings_keep_free_mb * 1e6)),
            ("secrets", lambda: machine.secrets(self.loaded)),
            ("store", self._store),
        ]
        found = collect(first)
        second: list[tuple[str, Check]] = [
            ("server", lambda: network.server(self.told, self.facts, settings, self.now_ms)),
            (openid.CHECK, lambda: openid.provider(settings)),
            ("ports", lambda: network.ports(settings, ours=self.told is not None)),
            ("media address", lambda: network.media_address(settings)),
            (media.CHECK, lambda: media.rtpengines(settings)),
            ("certificate of SIP", lambda: network.sip_certificate(settings)),
        ]
        if isinstance(settings.store, PostgresUrl):
            url = settings.store.url
            second.append(("certificates", lambda: network.store_certificates(url)))
        if (facts := self.facts) is not None:
            second += [
                ("calls", lambda: self._calls(facts)),
                ("recordings", lambda: self._recordings(facts)),
                (keys.CHECK, lambda: keys.keys(settings)),
                (bucket.CHECK, lambda: bucket.bucket(settings, facts.homes)),
                (second_factors.CHECK, lambda: second_factors.second_factors(settings)),
                ("erasures", lambda: self._erasures(facts)),
                ("backups", lambda: self._backups(facts)),
                ("office", lambda: self._office(facts)),
                ("trunks", lambda: self._trunks(facts)),
                ("registrations", lambda: trunks.registrations(facts, served=self.told is not None)),
                *((f"webhook of {each.enterprise}", self._webhook(each)) for each in facts.endpoints),
            ]
        return found + collect(second)

    def _trunks(self, facts: Facts) -> Iterable[Finding]:
        settings = self.loaded.settings
        return trunks.trunks(facts.trunks, settings.sip_authorities, name_servers(settings), shown_files(settings))

    def _settings(self) -> Iterable[Finding]:
        yield good("settings", f"right; file: {self.loaded.file or 'none'}, data: {self.loaded.settings.data}")

    def _store(self) -> Iterable[Finding]:
        place = store_place(self.loaded.settings)
        try:
            store = Store.open(place)
        except StoreMissing as error:
            yield bad("store", str(error), "kobza init, or kobza restore")
            return
        except StoreOutdated as error:
            yield bad("store", str(error), "stop the server, back up, kobza init")
            return
        except StoreError as error:
            yield bad("store", str(error), "look at the database, its address and its rights; else kobza restore")
            return
        try:
            if problems := store.backend.problems(thorough=self.thorough):
                in_server = isinstance(place, PostgresUrl)
                backup = "stop the server and restore the last backup (kobza restore)"
                yield bad("store", "; ".join(problems), "set it on in postgresql.conf" if in_server else backup)
            else:
                yield good("store", f"whole; {store.backend.described()}")
            with store.read() as conn:
                self.facts = health.facts(conn)
        finally:
            store.close()

    def _calls(self, facts: Facts) -> Iterable[Finding]:
        if self.told is None and facts.calls_on:
            yield look("calls", f"{facts.calls_on} have no end", "the next start closes them with cause 41")
        days = retention_terms(self.loaded.settings).history_days
        if facts.oldest_call is not None and facts.oldest_call < self.now_ms - (days + LATE_DAYS) * DAY_MS:
            yield look(
                "calls",
                f"some are older than the {days} days of the settings",
                "an enterprise keeps them longer (kobza retention show), a hold keeps them (kobza hold list), or the "
                "server did not run",
            )
        yield good("calls", f"{facts.calls} in the history, {facts.calls_on} on")

    def _recordings(self, facts: Facts) -> Iterable[Finding]:
        spools = list(Path(self.loaded.settings.data, "recordings", "spool").glob("*.spool"))
        making = facts.recordings.get("recording", 0) + facts.recordings.get("encoding", 0)
        failed, erasing = facts.recordings.get("failed", 0), facts.recordings.get("erasing", 0)
        if failed:
            yield look("recordings", f"{failed} could not be made into an mp3", "see the log; their spools are kept")
        if no_room := facts.recordings.get("no_room"):
            yield look("recordings", f"{no_room} calls were not recorded: the disk was full", "make room in time")
        if erasing:
            yield look("recordings", f"the files of {erasing} could not be erased", "look at the rights of the folder")
        if self.told is None and making:
            yield look("recordings", f"{making} are not finished", "the next start makes mp3 files of their spools")
        yield good("recordings", f"{len(spools)} spools wait, {making} are in the making")

    def _erasures(self, facts: Facts) -> Iterable[Finding]:
        if facts.unfinished_erasures:
            yield look(
                "erasures",
                f"not finished: {', '.join(facts.unfinished_erasures)}",
                "unless it is going on now, repeat the command kobza erase for the same number",
            )

    def _backups(self, facts: Facts) -> Iterable[Finding]:
        made = facts.last_backup
        if made is None:
            if facts.calls:
                yield look("backups", "none was made", "kobza backup DIR every night (docs/operations.md)")
            return
        days = (self.now_ms - made) // DAY_MS
        if days > BACKUP_DAYS:
            yield look("backups", f"the last one is {days} days old", "look why kobza backup does not run any more")
        else:
            yield good("backups", f"the last one is {days} days old" if days else "the last one is of today")

    def _office(self, facts: Facts) -> Iterable[Finding]:
        if not facts.enterprises:
            yield look("office", "there is no enterprise", "kobza enterprise add NAME --admin LOGIN")
        elif not facts.numbers:
            yield look("office", "there is no number", "kobza number add NUMBER --enterprise ID")
        else:
            yield good("office", f"{facts.enterprises} enterprises, {facts.numbers} numbers")

    def _webhook(self, endpoint: health.EndpointHealth) -> Check:
        return lambda: network.webhook(endpoint, self.loaded.settings, self.now_ms)


def of_wrong_settings(error: ConfigError) -> list[Finding]:
    """Return the findings when already the settings are wrong."""
    return [
        bad("settings", problem, "correct it; docs/configuration.md has all settings") for problem in error.problems
    ]
