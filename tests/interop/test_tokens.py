"""FMC tokens against `kobza serve` over sockets: what other processes change, what is written down, what never is."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.interop.server import Server, Site

CALLSTAT = "/api/cdr/v1/callstat.json"
STATUS = "/api/fmc/v1/phonestatus"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, new_site: Site) -> Iterator[Server]:
    """A served Kobza whose log is JSON; nothing of what these tests send may be a secret in it."""
    settings = {"KOBZA_LOG_LEVEL": "debug", "KOBZA_LOG_FORMAT": "json", "KOBZA_RATE_EXPORT": "2/3600"}
    started = new_site.copy(tmp_path_factory.mktemp("tokens") / "kobza", **settings).start()
    yield started
    started.stop()
    assert '"event": "127.0.0.1 GET' in started.log
    assert started.site.enterprise["fmc_token"] not in started.log


def token(site: Site, command: str, *arguments: str) -> dict[str, Any]:
    """Run `kobza token …` in a process of its own."""
    printed = site.kobza("token", command, *arguments, "--enterprise", site.enterprise["enterprise_id"], "--json")
    document: dict[str, Any] = json.loads(printed)
    return document


def ask(site: Site, secret: str, path: str = STATUS, **headers: str) -> httpx.Response:
    return httpx.get(
        f"http://{site.http}{path}",
        params={"integrator_id": site.enterprise["integrator_id"]},
        headers={"authorization": f"Bearer {secret}", **headers},
    )


def raw(site: Site, *lines: str) -> tuple[int, str]:
    """Send a request as it stands; return the status and the whole answer."""
    host, _, port = site.http.partition(":")
    request = "\r\n".join([*lines, "Host: kobza", "Connection: close", "", ""])
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request.encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(65_536), b"")).decode()
    return int(answer.split()[1]), answer


def test_what_another_process_changes_is_in_force_a_moment_later(server: Server) -> None:
    site = server.site
    made = token(site, "add", "--name", "CRM", "--scope", "history")
    assert ask(site, made["fmc_token"]).status_code == 200
    refused = ask(site, made["fmc_token"], "/api/fmc/v1/clip")
    assert (refused.status_code, refused.json()["code"], refused.json()["scope"]) == (403, "scope_missing", "settings")
    new = token(site, "rotate", made["token_id"], "--overlap", "3600")
    for secret in (made["fmc_token"], new["fmc_token"]):
        assert ask(site, secret).status_code == 200
    token(site, "revoke", made["token_id"])
    assert ask(site, made["fmc_token"]).json()["detail"] == "The token was revoked."
    assert ask(site, new["fmc_token"]).status_code == 200


def test_the_address_is_that_of_the_connection_whatever_headers_say(server: Server) -> None:
    site = server.site
    here = token(site, "add", "--address", "127.0.0.0/8")
    elsewhere = token(site, "add", "--address", "192.0.2.7")
    assert ask(site, here["fmc_token"]).status_code == 200
    for headers in ({}, {"x-forwarded-for": "192.0.2.7"}, {"forwarded": "for=192.0.2.7"}, {"x-real-ip": "192.0.2.7"}):
        answer = ask(site, elsewhere["fmc_token"], **headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "address_not_allowed")


def test_every_answer_of_401_and_403_is_as_the_contract_has_it(server: Server) -> None:
    site = server.site
    secret, integrator = site.enterprise["fmc_token"], site.enterprise["integrator_id"]
    right = f"Authorization: Bearer {secret}"
    get = f"GET {STATUS}?integrator_id={integrator} HTTP/1.1"
    for lines, status, code, parameter in (
        ([get], 401, "unauthorized", None),
        ([get, "Authorization:"], 401, "unauthorized", None),
        ([get, "Authorization: Basic YTpi"], 401, "unauthorized", None),
        ([get, f"Authorization: Bearer {secret} x"], 401, "unauthorized", None),
        ([get, right, right], 401, "unauthorized", None),
        ([get, right, "Authorization: Bearer x"], 401, "unauthorized", None),
        ([get, f"Authorization: Bearer {secret[:-1]}"], 403, "forbidden", "token"),
        ([get, f"Authorization: Bearer {'0' * 64}"], 403, "forbidden", "token"),
        ([f"GET {STATUS} HTTP/1.1", right], 400, "missing_parameter", "integrator_id"),
        ([f"GET {STATUS}?integrator_id=x HTTP/1.1", right], 403, "forbidden", "integrator_id"),
    ):
        got, answer = raw(site, *lines)
        problem = json.loads(answer.partition("\r\n\r\n")[2])
        assert (got, problem["code"], problem.get("parameter")) == (status, code, parameter), lines
        assert ("www-authenticate: Bearer" in answer) is (status == 401)
        assert secret not in answer
    for scheme in ("bearer", "BEARER", "Bearer  "):
        assert raw(site, get, f"authorization: {scheme} {secret}")[0] == 200


def test_beyond_the_rate_of_the_settings_429(server: Server) -> None:
    site = server.site
    query = {"token": site.enterprise["fmc_token"], "to": "2020-01-01T00:00:00"}
    answers = [httpx.get(f"http://{site.http}{CALLSTAT}", params=query) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 429], "what is asked for is looked at later"
    assert [answer.headers["ratelimit-policy"] for answer in answers] == ['"export";q=2;w=3600'] * 3
    assert [answer.headers["ratelimit"].partition(";t=")[0] for answer in answers] == [
        '"export";r=1',
        '"export";r=0',
        '"export";r=0',
    ]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 1800
    assert ask(site, site.enterprise["fmc_token"]).status_code == 200


def test_no_output_and_no_file_of_a_run_has_the_token(tmp_path: Path, new_site: Site) -> None:
    site = new_site.copy(tmp_path / "kobza", KOBZA_LOG_LEVEL="debug")
    server = site.start()
    made = token(site, "add", "--name", "CRM")
    secret, token_id = made["fmc_token"], made["token_id"]
    base, integrator = f"http://{site.http}", site.enterprise["integrator_id"]
    answers = [
        ask(site, secret),
        ask(site, secret, "/api/fmc/v1/nothing"),
        ask(site, secret, f"/api/fmc/{secret}"),
        ask(site, secret, "/api/fmc/v1/callhistory"),
        ask(site, secret, **{"user-agent": "crm"}),
        httpx.get(f"{base}{CALLSTAT}", params={"token": secret, "from": "x"}),
        httpx.get(f"{base}{CALLSTAT}?%74o%6ben={secret}&to=2020-01-01T00:00:00"),
        httpx.get(f"{base}{CALLSTAT}", params={"TOKEN": secret, "to": "x"}),
        httpx.get(f"{base}/api/onebox/v1/originate", params={"token": secret, "calling_number": "x"}),
        httpx.post(
            f"{base}/api/onebox/v1/originate", data={"token": secret, "calling_number": "1", "called_number": ""}
        ),
        httpx.get(f"{base}{STATUS}", params={"integrator_id": secret}, headers={"authorization": f"Bearer {secret}"}),
        httpx.get(f"{base}{STATUS}", params={"integrator_id": integrator}, headers={"authorization": secret}),
        httpx.get(f"{base}{STATUS}", params={"access_token": secret}, headers={"authorization": f"Basic {secret}"}),
        httpx.post(
            f"{base}/api/fmc/v1/originate?integrator_id={integrator}",
            content=secret.encode(),
            headers={"authorization": f"Bearer {secret}"},
        ),
        httpx.put(
            f"{base}/api/fmc/v1/dnd?integrator_id={integrator}",
            json={"number": secret, secret: 1},
            headers={"authorization": f"Bearer {secret}"},
        ),
    ]
    raw(site, f"BREW {STATUS}?token={secret} HTTP/1.1")
    raw(site, f"GET {STATUS} HTTP/9.9", f"Authorization: Bearer {secret}")
    raw(site, f"GET {STATUS} HTTP/1.1", f"Authorization: Bearer {secret}", "no header at all")
    ask(site, secret, **{"user-agent": "the last one"})
    server.stop()
    printed = [
        site.kobza("config"),
        json.dumps(token(site, "list", "--all")),
        json.dumps(token(site, "revoke", token_id)),
    ]
    used = json.loads(printed[2])["last_use"]
    assert (used["address"], used["client"]) == ("127.0.0.1", "the last one"), "a stop writes the last use"
    assert [answer.status_code for answer in answers[:2]] == [200, 404]
    for answer in answers:
        assert secret not in answer.text, answer.request.url
        assert all(secret not in value for value in answer.headers.values()), answer.request.url
    for text in (*printed, server.log):
        assert secret not in text
    assert re.search(r"callstat\.json\?.*=\*\*\*", server.log), "the access log is on and masks"
    needles = (secret.encode(), bytes.fromhex(secret), site.enterprise["fmc_token"].encode())
    for file in site.folder.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not any(needle in content for needle in needles), file
