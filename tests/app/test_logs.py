"""The log: one line of JSON each, what it is about as fields, and no secrets."""

import ast
import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kobza.app import logs
from kobza.app.logs import ABOUT

SOURCES = Path(__file__).parents[2] / "src" / "kobza"
ABOUT_CALLS = {"call_id", "delivery", "live", "record_id"}
"""Names of a function that has a call, a recording or a delivery at hand."""
LOGS = {"debug", "info", "warning", "error", "exception", "critical"}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure("info", "json")
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_fields_are_written_beside_the_text(written: io.StringIO) -> None:
    log = logging.getLogger("kobza.pbx.switch")
    log.warning("no media from the %s", "caller", extra={"call_id": "c1", "enterprise_id": None, "leg": "l1"})
    log.debug("not written")
    [line] = lines(written)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "no media from the caller",
        "level": "warning",
        "logger": "kobza.pbx.switch",
        "call_id": "c1",
        "leg": "l1",
    }


def test_a_traceback_is_one_line(written: io.StringIO) -> None:
    error = ValueError("рядок\nдругий")
    logging.getLogger("kobza").error("broke", exc_info=error, extra={"call_id": "c1"})
    [line] = lines(written)
    assert "ValueError: рядок\nдругий" in line["exception"]
    assert line["call_id"] == "c1"


SECRETS = {
    "Authorization: Bearer 0a1b.2c-3d_4e": "0a1b.2c-3d_4e",
    "cannot connect to postgresql://kobza:s3cr3t%20word@db:5432/kobza": "s3cr3t%20word",
    "GET /callstat?token=abcdef&x=1": "abcdef",
    'Digest username="0671", nonce="bm9uY2U=", response="6629fae49393a05397450978507c4ef1"': "6629fae49393",
    "the secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": "MfKQ9r8GKYqr",
    f"FMC {'0f' * 32} was sent": "0f0f",
}


@pytest.mark.parametrize(("text", "secret"), SECRETS.items())
def test_secrets_are_masked_wherever_they_are(written: io.StringIO, text: str, secret: str) -> None:
    logging.getLogger("kobza").error("%s", text)
    logging.getLogger("kobza").error("broke", exc_info=OSError(text))
    assert len(lines(written)) == 2
    assert secret not in written.getvalue()
    assert logs.MASK in written.getvalue()


def test_what_is_no_secret_stays(written: io.StringIO) -> None:
    text = "call from +380671234567 to 0501112233 refused: sip:a@b.c:5060, http://crm.example:80/hook, token 1a2b3c"
    logging.getLogger("kobza").info("%s", text)
    assert lines(written)[0]["event"] == text


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def log_calls(function: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in LOGS
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in {"log", "logger"}
        ):
            yield node


@pytest.mark.docs
@pytest.mark.parametrize("package", ["media", "pbx", "webhooks"])
def test_every_line_about_a_call_says_which(package: str) -> None:
    silent = []
    for path in sorted((SOURCES / package).glob("*.py")):
        for function in functions(ast.parse(path.read_text("utf-8"))):
            names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
            names |= {argument.arg for argument in ast.walk(function) if isinstance(argument, ast.arg)}
            if names & ABOUT_CALLS:
                silent += [
                    f"{path.name}:{call.lineno}"
                    for call in log_calls(function)
                    if not any(keyword.arg == "extra" for keyword in call.keywords) and not counts_several(call)
                ]
    assert silent == []


def counts_several(call: ast.Call) -> bool:
    """Tell whether a line is about many at once: its text begins with their number."""
    text = call.args[0]
    return isinstance(text, ast.Constant) and "%d" in str(text.value)


@pytest.mark.docs
def test_extra_fields_are_known() -> None:
    """A key that the log does not write would be lost."""
    page = (SOURCES.parents[1] / "docs" / "observability.md").read_text("utf-8")
    for name in ABOUT:
        assert f"`{name}`" in page
