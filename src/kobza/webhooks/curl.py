"""An attempt as a command that anybody can run to see it happen: "copy as curl"."""

import shlex
from collections.abc import Iterable
from typing import Final

from kobza.webhooks.exchange import MASK

TOKEN_VARIABLE: Final = "REMOTE_TOKEN"  # noqa: S105 - the name, not a token
"""What the command takes the token from when it is not to be shown."""


def curl_command(url: str, headers: Iterable[tuple[str, str]], body: bytes) -> str:
    """Return the command line for a POSIX shell that sends a request; a masked token is taken from `TOKEN_VARIABLE`."""
    words = ["curl", "--include", "--request", "POST", shlex.quote(url)]
    for name, value in headers:
        words.append("--header")
        if value.endswith(MASK):
            words.append(f'"{name}: {value.removesuffix(MASK)}${TOKEN_VARIABLE}"')
        else:
            words.append(shlex.quote(f"{name}: {value}"))
    return " ".join([*words, "--data-binary", shlex.quote(body.decode("utf-8", "replace"))])
