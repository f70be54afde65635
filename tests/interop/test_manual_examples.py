"""The manual's examples, run as the page of a served Kobza shows them: curl, PHP (two kinds), Python, Java.

Only what a reader fills in is filled in: token, integrator, numbers that exist, a recording that exists.
"""

import csv
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from lxml import etree, html

from kobza.api.samples import INTEGRATOR, LANGUAGES, TOKEN
from tests.interop.conftest import NUMBERS, RECORDED
from tests.interop.server import Server
from tests.interop.tools import require
from tests.phone.terminal import KOBZA
from tests.support.waiting import PATIENCE

"""Making the server of the tests is in it: some fifteen processes, one after another."""

pytestmark = pytest.mark.database("sqlite")
"""They are about what readers copy; what the server answers from its store is tried on both by the tests of the API."""

ORIGINATOR, DESTINATION = NUMBERS[2:]
JARS = ("/usr/share/java/okhttp.jar", "/usr/share/java/okio.jar")
RUN_OPERATIONS = (
    *(f"get-api-cdr-v1-callstat-{extension}" for extension in ("csv", "json", "xml")),
    *(f"get-api-fmc-v1-{name}" for name in ("callhistory", "callrecord")),
    "post-api-fmc-v1-originate",
)
CLASSPATH = ":".join(JARS)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


def run(*command: str, folder: Path) -> Ran:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def run_curl(text: str, folder: Path) -> Ran:
    require("curl")
    return run("bash", "-c", text, folder=folder)


def run_python(text: str, folder: Path) -> Ran:
    return run(sys.executable, "-c", text, folder=folder)


def run_php(text: str, folder: Path) -> Ran:
    require("php")
    (folder / "example.php").write_text(text)
    return run("php", "-d", "error_reporting=-1", "-d", "display_errors=1", "example.php", folder=folder)


def run_java(text: str, folder: Path) -> Ran:
    require("java", "javac", *JARS)
    name = java_class(text)
    if not (folder / f"{name}.class").exists():
        compile_java([text], folder)
    return run("java", "-cp", f"{CLASSPATH}:{folder}", name, folder=folder)


def java_class(text: str) -> str:
    return text.partition("public class ")[2].split()[0]


def compile_java(texts: Iterable[str], folder: Path) -> None:
    """Compile any number of examples at once: starting the compiler is what takes time."""
    files = [folder / f"{java_class(text)}.java" for text in texts]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    compiled = run("javac", "-Xlint:all", "-Werror", "-cp", CLASSPATH, *map(str, files), folder=folder)
    assert no_complaint(compiled) == ""


RUN: dict[str, Callable[[str, Path], Ran]] = {
    "curl": run_curl,
    "php": run_php,
    "php-http": run_php,
    "python": run_python,
    "java": run_java,
}


class Phone:
    """`kobza phone` that answers until it is stopped."""

    def __init__(self, server: Server, number: str) -> None:
        self._process = subprocess.Popen(
            [
                *(KOBZA, "phone", number, "--password", server.site.lines[number].password, "--json"),
                *("--server", f"127.0.0.1:{server.site.sip_port}", "--answer-after", "0"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        first = self._process.stdout.readline()
        assert b"registered" in first, first

    def stop(self) -> None:
        """Stop it as Ctrl-C does, so that it unregisters: the server is the next tests' too."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise


def reached(condition: Callable[[], Any], what: str, within: float = PATIENCE) -> Any:
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)
    return found


@dataclass(frozen=True)
class Shown:
    """What the page of the server shows, with what a reader fills in."""

    server: Server
    samples: dict[str, str]
    filled: dict[str, str]

    def sample(self, operation: str, language: str, **more: str) -> str:
        text = self.samples[f"{operation}/{language}"]
        for placeholder, value in {**self.filled, **more}.items():
            text = text.replace(placeholder, value)
        return text

    def expected(self, path: str) -> httpx.Response:
        """Ask for the same as the example of an operation does, by a client of our own."""
        shown = self.sample(f"get-{path.strip('/').replace('/', '-').replace('.', '-')}", "curl")
        pairs = [line.split()[1].strip("'") for line in shown.splitlines() if "--data-urlencode" in line]
        query = dict(parse_qsl("&".join(pairs).replace("+", "%2B"), keep_blank_values=True))
        answer = httpx.get(
            f"http://{self.server.site.http}{path}", params=query, headers=dict(self.server.api.headers), timeout=20
        )
        assert answer.status_code == 200, answer.text
        return answer


@pytest.fixture(scope="module")
def shown(kobza_server: Server) -> Iterator[Shown]:
    """A server with calls of the last days, a recording, two phones; and its manual."""
    server, enterprise = kobza_server, kobza_server.site.enterprise
    server.site.prepare("dev", "fill", "--enterprise", enterprise["enterprise_id"], "--calls", "60", "--days", "6")
    caller, called = RECORDED
    answering = Phone(server, called)
    options = ["--server", f"127.0.0.1:{server.site.sip_port}", "--dial", called, "--duration", "0.5"]
    password = server.site.lines[caller].password
    subprocess.run(
        [KOBZA, "phone", caller, "--password", password, *options], check=True, capture_output=True, timeout=120
    )
    answering.stop()

    def record_id() -> Any:
        return next((call["record_id"] for call in reversed(server.history()) if call["record_id"]), None)

    record = str(reached(record_id, "the recorded call"))
    server.recording(record)
    page = httpx.get(f"http://{server.site.http}/manual/openapi.html", timeout=120)
    found = {
        each.get("data-sample"): "".join(map(str, each.itertext())) for each in html.fromstring(page.text).iter("pre")
    }
    phones = [Phone(server, number) for number in (ORIGINATOR, DESTINATION)]
    yield Shown(
        server,
        {str(name): text for name, text in found.items() if name},
        {
            TOKEN: enterprise["fmc_token"],
            INTEGRATOR: enterprise["integrator_id"],
            "0192f3c4a5b67d8e9f0a1b2c3d4e5f61": record,
            "0671234567": ORIGINATOR,
            "0501112233": DESTINATION,
        },
    )
    for phone in phones:
        phone.stop()


def is_free(server: Server, number: str) -> bool:
    return server.status_of(number) == "available"


def no_complaint(ran: Ran) -> str:
    assert (ran.code, ran.err) == (0, ""), ran
    return ran.out


def cells(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text)))


def elements(text: str) -> list[dict[str, Any]]:
    return [{field.tag: field.text for field in call} for call in etree.fromstring(text.strip().encode())]


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_example_does_what_the_manual_says(shown: Shown, language: str, tmp_path: Path) -> None:
    def out(operation: str, **more: str) -> str:
        return no_complaint(RUN[language](shown.sample(operation, language, **more), tmp_path))

    if language == "java":
        require("javac", *JARS)
        compile_java([shown.sample(operation, language) for operation in RUN_OPERATIONS], tmp_path)

    for extension, read in (("csv", cells), ("json", lambda text: json.loads(text)["calls"]), ("xml", elements)):
        path = f"/api/cdr/v1/callstat.{extension}"
        rows = read(out(f"get-api-cdr-v1-callstat-{extension}"))
        assert rows == read(shown.expected(path).text)
        assert len(rows) > 3

    history = json.loads(out("get-api-fmc-v1-callhistory"))
    assert history == shown.expected("/api/fmc/v1/callhistory").json()
    assert len(history["calls"]) > 3

    assert out("get-api-fmc-v1-callrecord") == ""
    assert (tmp_path / "call.mp3").read_bytes() == shown.expected("/api/fmc/v1/callrecord").content

    begun = json.loads(out("post-api-fmc-v1-originate"))
    leg = {"0192f3c4a5b67d8e9f0a1b2c3d4e5f60": begun["call_control_id"]}
    cleared = json.loads(out("post-api-fmc-v1-callcontrol", **leg))
    assert cleared["state"] == "finished"
    for number in (ORIGINATOR, DESTINATION):
        reached(partial(is_free, shown.server, number), f"{number} to be free again")


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_example_fails_loudly_and_says_why(shown: Shown, language: str, tmp_path: Path) -> None:
    text = shown.sample("get-api-fmc-v1-callhistory", language, **{shown.filled[TOKEN]: "0" * 64})
    ran = RUN[language](text, tmp_path)
    assert ran.code != 0
    assert ('"code":"forbidden"' in ran.out + ran.err) or "403 Client Error" in ran.err


def test_every_operation_has_an_example_in_every_language(shown: Shown) -> None:
    operations = {name.partition("/")[0] for name in shown.samples}
    assert len(operations) > 20
    assert set(shown.samples) == {f"{operation}/{language}" for operation in operations for language in LANGUAGES}


def test_every_example_is_proper_in_its_language(shown: Shown, tmp_path: Path) -> None:
    """Of all operations, also those that are not run: PHP parses them, Java compiles them, all in one go each."""
    require("php", "javac", *JARS)
    sources = []
    for name in shown.samples:
        operation, _, language = name.partition("/")
        text = shown.sample(operation, language)
        if language == "python":
            compile(text, name, "exec")
        elif language == "java":
            sources.append(text)
        elif language.startswith("php"):
            (tmp_path / f"{operation}-{language}.php").write_text(text)
    compile_java(sources, tmp_path)
    check = (
        'foreach (array_slice($argv, 1) as $file) token_get_all(file_get_contents($file), TOKEN_PARSE); echo "proper";'
    )
    pages = sorted(str(path) for path in tmp_path.glob("*.php"))
    assert no_complaint(run("php", "-r", check, *pages, folder=tmp_path)) == "proper"
