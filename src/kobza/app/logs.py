"""The log: on standard error, for people or as lines of JSON, with what a line is about and without secrets.

A line about a call has the field `call_id`, and `enterprise_id`, `leg`, `record_id` and `event_id` where they are
known: who logs gives them as `extra`. A context variable would have to be set at every message and timer of a call,
thirty times a call, for lines that hardly ever come; and what a call starts, such as the one timer of all SIP, would
inherit it wrongly.
"""

import logging
import re
import sys
from typing import Final, Literal

import structlog

ABOUT: Final = ("call_id", "enterprise_id", "leg", "record_id", "event_id")
"""What a line may be about."""
MASK: Final = "***"
_SECRETS: Final = re.compile(
    r"""(?ix)
    (?<= bearer \s) [\w.~+/=-]+                                  # of an Authorization header
    | (?<= [a-z] :// ) [^\s/@]+ : [^\s@]* (?= @ )                 # name and password in a URL
    | (?<= \b token= ) [^&;\s"']+ | (?<= \b password= ) [^&;\s"']+
    | (?<= \b response=" ) [^"]* | (?<= \b nonce=" ) [^"]*        # of a digest
    | \b whsec_ [\w+/=-]+                                         # the secret of a webhook
    | \b [0-9a-f]{64} \b                                          # a token of ours, wherever it is
    """
)


def masked(text: str) -> str:
    """Return a text without what looks like a secret. None should get here: this is the second lock."""
    return _SECRETS.sub(MASK, text)


def configure(level: str, form: Literal["console", "json"]) -> None:
    """Send every log line of the process to standard error; `level` is the least serious one that is written."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(ABOUT),
        structlog.processors.TimeStamper(fmt="iso", utc=form == "json"),
        structlog.processors.format_exc_info,
        _without_secrets,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for library in ("uvicorn", "httpx", "httpcore"):  # whole URLs in their lines would have tokens in them
        logging.getLogger(library).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # a line for each part of itself


def _without_secrets(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for field in ("event", "exception"):
        if isinstance(text := line.get(field), str):
            line[field] = masked(text)
    for field in ABOUT:
        if field in line and line[field] is None:
            del line[field]
    return line
