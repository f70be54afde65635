import asyncio, os, sys, tempfile
from pathlib import Path
sys.path.insert(0, ".")
os.environ["PICTURES"] = "tmp-pictures"
from tests.api.world import World
from tests.portal.test_every_form import *
async def main():
    with tempfile.TemporaryDirectory() as d:
        w = World(Path(d)); furnish(w)
        ex = Exchange(w, system=BusySystem()); w.app = ex.app
        async with served(w) as a, chromium() as b:
            for login, names, lang, theme in (("olena", ("call",), "en", "light"),):
                p = await arrive(b, a, w, login, lang, theme)
                for v in views(w):
                    if v.name in names: await look(p, v, Form(lang, theme, 1440))
        await ex.endpoint.close()
asyncio.run(main())
