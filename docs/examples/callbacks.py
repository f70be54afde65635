"""Who called today, was not answered, and has not been talked to since. For docs/client.md.

`python3 callbacks.py` with KOBZA_URL, KOBZA_TOKEN and KOBZA_INTEGRATOR_ID set; against any server of the contract. Exit
code 1: it could not find out, for the reason on stderr.
"""

import os
import sys
from datetime import UTC, datetime, time

from kobza.client import KYIV, ClientError, HistoryCall, Kobza


def to_call_back(kobza: Kobza, since: datetime) -> list[HistoryCall]:
    """Return the last unanswered call of each customer, oldest first."""
    missed: dict[str, HistoryCall] = {}
    for call in kobza.calls(since):
        customer = call.calling_number if call.direction == "incoming" else call.called_number
        missed.pop(customer, None)  # whatever came before, this call is the newest
        if call.direction == "incoming" and not call.answered:
            missed[customer] = call
    return list(missed.values())


def main() -> int:
    """Print a line for each customer."""
    midnight = datetime.combine(datetime.now(UTC).astimezone(KYIV), time())
    arguments = (os.environ[f"KOBZA_{name}"] for name in ("URL", "TOKEN", "INTEGRATOR_ID"))
    try:
        with Kobza(*arguments) as kobza:
            for call in to_call_back(kobza, midnight):
                print(f"{call.started_at.astimezone(KYIV):%H:%M}  {call.calling_number}  rang {call.called_number}")
    except ClientError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
