"""The chaotic sink does what it says: with a certificate that is right or wrong, and failing no state for ever."""

import ssl

import aiohttp
import pytest

from tests.crash.chaos import Certificates, Moods
from tests.crash.evidence import arrivals
from tests.support.sink import Received, WebhookSink

STATE = {"event_id": "e-1", "call_control_id": "leg", "sequence": 1}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))


async def test_its_certificate_is_right_or_anothers(certificates: Certificates) -> None:
    trusting = ssl.create_default_context(cafile=str(certificates.trusted))
    async with WebhookSink(tls=certificates.tls) as sink:
        for wrong in (False, True, False):
            certificates.wrong = wrong
            async with aiohttp.ClientSession() as client:
                post = client.post(f"{sink.url}/callstate", json=STATE, ssl=trusting)
                if wrong:
                    with pytest.raises(aiohttp.ClientConnectorCertificateError):
                        await post
                else:
                    assert (await post).status == 200
    assert len(sink.requests) == 2


@pytest.mark.parametrize("seed", range(20))
def test_a_state_is_refused_only_so_often(certificates: Certificates, seed: int) -> None:
    moods = Moods(seed, 3, certificates)
    requests = [Received(0.0, "/callstate", {}, b"{}", STATE) for _ in range(4)]
    for request in requests:
        moods.choose(request)
    taken = [arrival.taken for arrival in arrivals(requests, moods.taken)]
    assert any(taken)
    assert sum(moods.done.values()) == 4


def test_once_it_is_well_everything_is_taken(certificates: Certificates) -> None:
    moods = Moods(1, 4, certificates)
    moods.well.set()
    requests = [Received(0.0, "/callstate", {}, b"{}", STATE) for _ in range(50)]
    for request in requests:
        moods.choose(request)
    assert all(map(moods.taken, requests))
    assert moods.done == {"taken": 50}
