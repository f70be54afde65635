"""A sink that fails in every way, for minutes, while calls are made; then it is well, and the books must be right.

    make chaos                       # an hour
    make chaos ARGS="--minutes 2"

What it does to a request is drawn from the seed: an answer in time, late, after the client has given up, never; 4xx,
5xx, a redirect, a wish to come back later; a connection that breaks. Now and then its certificate is another host's for
some seconds and every connection breaks. It is never told to switch the endpoint off (410). No single state is failed
so often by choice that the next attempt would be hours away.
"""

import argparse
import random
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.crash.books import Click, Found, Key, wrong_calls, wrong_states
from tests.crash.evidence import arrivals
from tests.crash.harness import Harness
from tests.crash.plan import draw_calls
from tests.interop.conftest import NUMBERS, RECORDED, SinkThread
from tests.interop.server import Site
from tests.support.ports import free_port
from tests.support.sink import Answer, Hang, Received, Reset, Slow, Status, WebhookSink, redirect, retry_after

TIMEOUT: Final = 2
"""Seconds that the server gives an attempt here (`webhook_timeout`)."""
WORST: Final = ((2.0, 1), (5.0, 2), (30.0, 3))
"""Up to so many minutes of chaos, a state is failed so often by choice; beyond, 4 times. The steps between the attempts
are 5 s, 30 s, 2 min, 10 min."""
WRONG_EVERY: Final = (8.0, 25.0)
"""Seconds between two spells of a wrong certificate, from and to."""
WRONG_FOR: Final = (0.5, 3.0)
MARGIN: Final = 60.0
"""Seconds after the last attempt that is due within which everything must have come to rest."""


class Certificates:
    """A server's TLS with two certificates: its own, and for spells that of another host."""

    def __init__(self, folder: Path) -> None:
        self.trusted = folder / "right.pem"
        self._right = _context(folder, "right", "IP:127.0.0.1")
        self._wrong = _context(folder, "wrong", "DNS:elsewhere.example")
        self.wrong = False
        self._right.sni_callback = self._choose

    @property
    def tls(self) -> ssl.SSLContext:
        """What the server is given."""
        return self._right

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        if self.wrong:
            connection.context = self._wrong


def _context(folder: Path, name: str, names: str) -> ssl.SSLContext:
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    command += ["-addext", f"subjectAltName={names}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


class Moods:
    """Decides what becomes of each request, and remembers which were taken."""

    def __init__(self, seed: int, worst: int, certificates: Certificates) -> None:
        self._chance = random.Random(seed)
        self._worst = worst
        self._certificates = certificates
        self._failed: Counter[str] = Counter()
        self._taken: set[int] = set()
        self.done: Counter[str] = Counter()
        """What was done to requests, in words."""
        self.wrong_spells = 0
        """How often the certificate was another host's."""
        self.well = threading.Event()
        """Set when the chaos is over."""

    def choose(self, received: Received) -> Answer:
        """Return what becomes of a request."""
        if self._certificates.wrong:  # an old connection: the next one meets the certificate
            self.done["broken for a wrong certificate"] += 1
            return Reset()
        event_id = str((received.json or {}).get("event_id"))
        if self.well.is_set() or self._failed[event_id] >= self._worst or self._chance.random() < 0.4:
            answer, words = self._fine()
            self._taken.add(id(received))
        else:
            answer, words = self._fault()
            self._failed[event_id] += 1
        self.done[words] += 1
        return answer

    def taken(self, received: Received) -> bool:
        """Tell whether a request was answered with a 2xx in time."""
        return id(received) in self._taken

    def spells(self) -> None:
        """Change the certificates now and then until the chaos is over; the body of a thread."""
        chance = random.Random(self._chance.random())
        while not self.well.wait(chance.uniform(*WRONG_EVERY)):
            self.wrong_spells += 1
            self._certificates.wrong = True
            self.well.wait(chance.uniform(*WRONG_FOR))
            self._certificates.wrong = False

    def _fine(self) -> tuple[Answer, str]:
        if not self.well.is_set() and self._chance.random() < 0.4:
            return Slow(self._chance.uniform(0.05, 0.5), Status(202)), "taken slowly"
        return Status(204), "taken"

    def _fault(self) -> tuple[Answer, str]:
        status = self._chance.choice((400, 401, 404, 429, 500, 502, 503))
        faults: list[tuple[Answer, str]] = [
            (Status(status, body=b"chaos"), f"answered {status}"),
            (Slow(TIMEOUT + 1.0), "answered too late"),
            (Hang(), "never answered"),
            (Reset(), "connection broken"),
            (redirect("https://127.0.0.1:9/elsewhere"), "redirected"),
            (retry_after("3"), "told to come back"),
        ]
        return self._chance.choice(faults)


def play(minutes: float, seed: int, folder: Path) -> list[str]:
    """Play so many minutes of chaos in a folder; return what is wrong with the books then."""
    folder.mkdir(parents=True, exist_ok=True)
    certificates = Certificates(folder)
    worst = next((count for limit, count in WORST if minutes <= limit), 4)
    moods = Moods(seed, worst, certificates)
    sink = SinkThread(WebhookSink(port=free_port(), tls=certificates.tls))
    sink.sink.choose = moods.choose
    site = Site(folder / "office")
    site.environment |= {"KOBZA_WEBHOOK_TIMEOUT": str(TIMEOUT), "SSL_CERT_FILE": str(certificates.trusted)}
    sink.start()
    try:
        site.create(NUMBERS, webhook=sink.url, recorded=RECORDED)
        with Harness(site, sink, site.place) as harness:
            return _play(minutes, seed, harness, moods)
    finally:
        sink.stop()


def _play(minutes: float, seed: int, harness: Harness, moods: Moods) -> list[str]:
    began, number = time.time(), 0
    spells = threading.Thread(target=moods.spells, daemon=True)
    spells.start()
    wrong: list[str] = []
    planned: set[Key] = set()
    clicks: list[Click] = []
    history: list[Mapping[str, Any]] = []
    while time.time() < began + 60 * minutes:
        number += 1
        found = harness.talk(draw_calls(random.Random(f"{seed}-{number}"), number, NUMBERS))
        wrong += wrong_calls(found)
        planned |= found.planned
        clicks += found.clicks
        history += found.history
    moods.well.set()
    spells.join()
    unrest = harness.evidence.unrest()
    while unrest and (until := harness.evidence.last_due() + MARGIN) > time.time():  # another attempt may follow
        unrest = harness.evidence.come_to_rest(until)
    everything = Found(
        planned=planned,
        clicks=clicks,
        history=history,
        events=harness.evidence.events(0),
        arrivals=arrivals(harness.sink.sink.requests, moods.taken),
        spools=harness.keeper.take(),
        recordings=harness.evidence.recordings(began),
        left_over=[*unrest, *harness.evidence.left_over()],
    )
    wrong += wrong_states(everything)
    tries = ", ".join(f"{count} {words}" for words, count in moods.done.most_common())
    print(
        f"{len(history)} calls in {number} rounds, {len(everything.events)} states, {sum(moods.done.values())} requests"
    )
    print(f"    {tries}; {moods.wrong_spells} times a wrong certificate")
    return wrong + harness.finish()


def main() -> int:
    """Play as asked; return the exit status: 1 when a book was wrong."""
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (60)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="what is drawn from")
    options = parser.parse_args()
    print(f"chaos at the sink for {options.minutes:g} min, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="kobza-chaos-") as folder:
        wrong = play(options.minutes, options.seed, Path(folder))
    for words in wrong:
        print(f"    WRONG {words}")
    print(f"seed {options.seed}: {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
