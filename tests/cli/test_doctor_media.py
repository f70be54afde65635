"""What the doctor says of the rtpengines that carry the calls."""

from kobza.app.doctor import media
from kobza.app.doctor.findings import Finding, State
from kobza.config.loading import load
from tests.interop.tools import require
from tests.support.ports import free_port, free_range
from tests.support.rtpengine import running_rtpengine


def found(*ports: int) -> list[Finding]:
    values = {"KOBZA_MEDIA_PLANE": "rtpengine", "KOBZA_RTPENGINE": " ".join(f"127.0.0.1:{port}" for port in ports)}
    return list(media.rtpengines(load(environment=values).settings))


def test_where_they_are_not_used_nobody_is_asked() -> None:
    assert list(media.rtpengines(load(environment={}).settings)) == []


def test_those_that_answer_and_those_that_do_not() -> None:
    nobody = free_port()
    (alone,) = found(nobody)
    assert alone.state is State.BAD
    assert alone.found == f"127.0.0.1:{nobody} does not answer (Connection refused)"
    require("rtpengine")
    with running_rtpengine(free_range(20)) as engine:
        there, away = found(engine.control[1], nobody)
        assert (there.state, away.state) == (State.GOOD, State.LOOK)
        assert there.found == f"127.0.0.1:{engine.control[1]} answers: 0 calls, 0 of 20 ports used"
        assert "calls go to the others" in away.advice
