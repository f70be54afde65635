"""What the doctor says of the provider by which people sign in."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from kobza.app.doctor import openid
from kobza.app.doctor.findings import Finding, State
from kobza.config.loading import load
from tests.support.ports import free_port


@contextmanager
def answering(body: Callable[[str], bytes], status: int = 200) -> Iterator[str]:
    """Serve one answer for whatever is asked, made of the server's address; give that."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body(address))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield address
        finally:
            server.shutdown()
            thread.join()


def _same(body: bytes, _address: str) -> bytes:
    return body


def found(issuer: str) -> Finding:
    """Look at a provider."""
    values = {
        "KOBZA_OIDC_ISSUER": issuer,
        "KOBZA_OIDC_CLIENT_ID": "kobza",
        "KOBZA_PORTAL_URL": "https://pbx.example.com/",
    }
    (finding,) = openid.provider(load(environment=values).settings)
    return finding


def test_a_provider_is_asked_what_it_says_of_itself() -> None:
    assert list(openid.provider(load(environment={}).settings)) == []
    silent = found(f"http://127.0.0.1:{free_port()}")
    assert (silent.state, "cannot be asked" in silent.found) == (State.BAD, True)
    with answering(lambda _: b"<html>") as issuer:
        assert "answers with no JSON" in found(issuer).found
    with answering(lambda _: b"gone", 404) as issuer:
        assert "404" in found(issuer).found
    for other in (b"[]", b"{}", b'{"issuer": "https://login.example.com/"}'):
        with answering(partial(_same, other)) as issuer:
            assert found(issuer).advice == "set oidc_issuer to exactly that"
    with answering(lambda address: json.dumps({"issuer": address}).encode()) as issuer:
        well = found(issuer)
    assert well.state is State.GOOD
    assert well.found.endswith("it has to know https://pbx.example.com/signin/openid/back")
