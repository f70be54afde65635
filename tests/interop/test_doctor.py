"""`kobza doctor` beside a running server: the ports are ours, and the server works with this store."""

import json
from dataclasses import replace
from typing import Literal

import pytest

from kobza.app.doctor import trunks
from kobza.app.doctor.findings import State
from kobza.call.trunk import Trunk
from tests.interop.conftest import SinkThread
from tests.interop.server import Server
from tests.support.lines import outside_line


@pytest.mark.database("sqlite")  # the tests' PostgreSQL does not wait for the disk, which the doctor minds
def test_a_running_server_is_well(kobza_server: Server, sink: SinkThread) -> None:
    site = kobza_server.site
    settings = {
        "KOBZA_HTTP": site.http,
        "KOBZA_SIP": f"udp:127.0.0.1:{site.sip_port}",
        "KOBZA_RTP_PORTS": f"{site.rtp.start}-{site.rtp.stop - 1}",
    }
    with outside_line("UDP", 200, port=site.trunk_port):
        report = json.loads(replace(site, environment=site.environment | settings).kobza("doctor", "--json"))
    found = {each["check"]: each for each in report["findings"] if each["state"] == "good"}
    assert report["healthy"]
    assert found["server"]["found"] == f"it runs and answers at {site.http}"
    assert found["ports"]["found"] == "our server has them"
    assert "can be reached" in found["webhook of Пекарня"]["found"]
    assert "answers 200 OK" in found["trunk gateway"]["found"]
    transports: tuple[Literal["UDP", "TCP"], ...] = ("UDP", "TCP")
    for transport in transports:  # a PBX as a line: the server itself
        (told,) = trunks.trunks([Trunk("id", "pbx", "127.0.0.1", site.sip_port, transport=transport)])
        assert (told.state, " answers " in told.found) == (State.GOOD, True)
    kobza_server.assert_no_errors()
