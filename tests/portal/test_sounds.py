"""The page of the sounds: music on hold and ringback."""

from kobza.store import sounds
from tests.api.world import World
from tests.media.test_sounds import file_of
from tests.portal.test_roles import form_token
from tests.portal.visitor import Visitor, text_of

PATH = "/provisioning/sounds"


async def test_music_and_ringback(olena: Visitor, world: World) -> None:
    own = world.own.enterprise_id
    assert "Our own melody" in text_of(await olena.page(PATH))
    token = {"csrf": await form_token(olena)}

    async def upload(content: bytes) -> int:
        files = {"file": ("waltz.mp3", content, "audio/mpeg")}
        return (await olena.client.post(f"{PATH}/music", data=token, files=files)).status_code

    assert await upload(file_of(2, 8000)) == 303
    with world.store.read() as conn:
        music = sounds.find(conn, own, "music")
        assert music is not None
        assert (music.name, music.duration_ms) == ("waltz.mp3", 2000)
        assert len(sounds.content(conn, music.sha256) or b"") == 16_000
    assert "waltz.mp3 2 s" in text_of(await olena.page(PATH))
    assert await upload(b"no sound") == 400
    assert (await olena.client.post(f"{PATH}/music", data=token)).status_code == 400
    assert (await olena.client.post(PATH, data={**token, "country": "uk"})).status_code == 303
    assert (await olena.client.post(PATH, data={**token, "country": "xx"})).status_code >= 400
    olena.client.cookies.set("kobza_language", "uk")
    page = await olena.page(PATH)
    (chosen,) = [each for each in page.iter("option") if each.get("selected") is not None]
    assert text_of(chosen) == "Велика Британія"
    assert (await olena.client.post(f"{PATH}/remove", data=token)).status_code == 303
    with world.store.read() as conn:
        assert sounds.find(conn, own, "music") is None
        assert (sounds.ringback(conn, own), sounds.content(conn, music.sha256)) == ("uk", None)
