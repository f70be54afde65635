"""The page of what people are told whose talk is recorded."""

from kobza.call.recording_notices import RecordingNotices
from kobza.store import recording_notices, sounds
from tests.api.world import World
from tests.media.test_sounds import file_of
from tests.portal.test_roles import form_token
from tests.portal.visitor import Visitor, text_of

PATH = "/provisioning/recording"


async def test_who_is_told_in_whose_voice_and_how_often(olena: Visitor, world: World) -> None:
    own = world.own.enterprise_id
    token = {"csrf": await form_token(olena)}

    async def choose(**fields: str) -> int:
        chosen = {"to": "outside", "voice": "en", "beep_every": "15", **fields}
        return (await olena.client.post(PATH, data=token | chosen)).status_code

    def chosen() -> RecordingNotices:
        with world.store.read() as conn:
            return recording_notices.find(conn, own)

    page = await olena.page(PATH)
    assert page.xpath("//select[@name='to']/option[@selected]/@value") == ["nobody"]
    assert "The voice that comes with the system" in text_of(page)
    assert await choose() == 303
    assert chosen() == RecordingNotices("outside", "en", 0)
    assert await choose(beep="on", beep_every="20", to="both") == 303
    assert chosen() == RecordingNotices("both", "en", 20)
    for every in ("4", "121", "", "1e1"):
        assert await choose(beep="on", beep_every=every) == 400
    assert await choose(to="everybody") == 400
    assert chosen() == RecordingNotices("both", "en", 20)
    page = await olena.page(PATH)
    assert page.xpath("//select[@name='to']/option[@selected]/@value") == ["both"]
    assert page.xpath("//input[@name='beep_every']/@value") == ["20"]
    assert page.xpath("//input[@name='beep']/@checked") == ["checked"]

    async def upload(seconds: int) -> int:
        files = {"file": ("consent.wav", file_of(seconds, 8000), "audio/wav")}
        return (await olena.client.post(f"{PATH}/sound", data=token, files=files)).status_code

    assert await upload(2) == 303
    assert await upload(31) == 400
    with world.store.read() as conn:
        sound = sounds.find(conn, own, "recording")
    assert sound is not None
    assert (sound.name, sound.duration_ms, chosen().sound) == ("consent.wav", 2000, sound.sha256)
    assert "Your own file consent.wav is heard now." in text_of(await olena.page(PATH))
    assert (await olena.client.post(f"{PATH}/sound/remove", data=token)).status_code == 303
    assert chosen().sound == ""
