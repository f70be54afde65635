import aiohttp
import pytest

from tests.support.sink import Reset, Slow, Status, WebhookSink, gone, redirect


async def test_it_keeps_what_it_is_sent_and_answers_as_told() -> None:
    async with WebhookSink() as sink, aiohttp.ClientSession() as session:
        sink.answer(Status(500), gone(), redirect("/there"), Slow(0.05))
        sink.otherwise = Status(204)
        seen = []
        for number in range(5):
            async with session.post(f"{sink.url}/callstate", json={"number": number}, allow_redirects=False) as answer:
                seen.append(answer.status)
        assert seen == [500, 410, 307, 200, 204]
        assert [state["number"] for state in sink.states] == [0, 1, 2, 3, 4]
        assert [request.path for request in sink.requests] == ["/hooks/callstate"] * 5
        assert [request.at for request in sink.requests] == sorted(request.at for request in sink.requests)
        sink.answer(Reset())
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.post(sink.url, data=b"not json")
        assert sink.requests[-1].json is None


async def test_waiting_fails_with_what_came_instead() -> None:
    async with WebhookSink() as sink, aiohttp.ClientSession() as session:
        await session.post(sink.url, json={"only": "this"})
        await sink.wait_for(1)
        with pytest.raises(AssertionError, match=r"2 requests and has 1.*only"):
            await sink.wait_for(2, within=0.05)
