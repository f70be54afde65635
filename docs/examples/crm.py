"""A CRM in small, for the example of docs/sandbox.md: takes call states, and tells who is to be called back.

`python3 crm.py PORT TOKEN`. States come to `POST /callstate`; `GET /missed` is the list of customers who called and
were not answered. Needs nothing but Python.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Calls:
    """The calls of this enterprise, as far as states told of them. A state that comes twice changes nothing."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self.missed: list[str] = []

    def take(self, state: dict[str, Any]) -> None:
        """Take one call state."""
        if state["event_id"] in self._seen:
            return
        self._seen.add(state["event_id"])
        unanswered = state["state_type"] == "finished" and state["call_duration"] == 0
        if unanswered and state["call_direction"] == "incoming":
            self.missed.append(state["phone_number"])


class Door(BaseHTTPRequestHandler):
    """The HTTP side of it."""

    calls = Calls()
    token = ""

    def do_POST(self) -> None:
        """Take a call state from whoever has the token."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != f"Bearer {self.token}":
            self._answer(403, {"error": "wrong token"})
        elif self.path != "/callstate":
            self._answer(404, {"error": "no such path"})
        else:
            self.calls.take(json.loads(body))
            self._answer(200, {})

    def do_GET(self) -> None:
        """Tell who is to be called back."""
        self._answer(200, self.calls.missed)

    def _answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    Door.token = sys.argv[2]
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Door).serve_forever()
