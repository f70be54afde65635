"""What Schemathesis is told of Kobza that no schema can say. Loaded by its command, not by pytest."""

import json
import os
import re
import zlib
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response

from kobza.api.documenting import NUMBER_PATTERN
from kobza.call.numbers import MAX_NUMBER_LENGTH

BY_RULE = re.compile(
    r"One of from and to is needed\."
    r"|(from|to) must not be (older than 30 days|in the future|after to)\."
    r"|The interval must not be longer than \d+ days\."
    r"|(from|to|until|since) must be a time like .*"  # a day that the calendar has not, such as 30 February
    r"|until must be in the future\."
    r"|cursor must be a next_cursor of ours\."
    r"|Either ids or since is needed\.|until goes with since\."  # two ways to choose deliveries in one document
    r"|.* is in no numbering plan: .*"
    r"|A number cannot call itself\.|A number cannot be forwarded to itself\."
    r"|.* is no number: .*|The number is too long.*"  # separators alone
    r"|client_state is longer than 1024 bytes\."  # of UTF-8; the schema counts characters
    r"|(client_state|url|token): .*"  # surrogates and control characters, ports that are none
    r"|(url|token): expected .*"
)
"""The only reasons for which a request that fits the document is refused with 400."""


@schemathesis.check
def refused_by_rule_only(_context: CheckContext, response: Response, case: Case[Any]) -> None:
    """A request that fits its schema is refused with 400 only for a reason that no schema can express."""
    fits = case.meta is not None and case.meta.generation.mode.is_positive
    if fits and response.status_code == 400 and case.method != "HEAD":
        problem = json.loads(response.content)
        assert BY_RULE.fullmatch(problem["detail"]), f"refused although it fits: {problem}"


NUMBER = re.compile(NUMBER_PATTERN)
OCCASIONS = ("always", "busy", "no_answer", "unreachable")


@schemathesis.hook
def map_body(_context: HookContext, body: Any) -> Any:
    """Let proper numbers be ones that exist, mostly, and no call state go anywhere but to the receiver of the test."""
    if not isinstance(body, dict):
        return body
    known = os.environ["TEST_NUMBERS"].split()
    for name in ("number", "originator", "destination", "clip", "presentation_number", *OCCASIONS):
        text = body.get(name)
        if isinstance(text, str) and 2 <= len(text) <= MAX_NUMBER_LENGTH and NUMBER.fullmatch(text):
            choice = zlib.crc32(f"{name} {text}".encode()) % (len(known) + 1)
            body[name] = text if choice == len(known) else known[choice]
    url = body.get("url")
    if isinstance(url, str) and url.lower().startswith(("http://", "https://")):
        body["url"] = os.environ["TEST_SINK"]
    return body
