"""Reading of sounds that people upload, in a process of its own: no call shall feel what a bad file does to a decoder.

`python -m kobza.media.sound_process` takes a WAV or mp3 file on standard input and gives A-law on standard output; an
unfit one ends it with 3 and a sentence on standard error.
"""

import asyncio
import contextlib
import sys
from typing import Final

from kobza.media.sound_reading import UnfitSound, telephone_sound

UNFIT: Final = 3
PATIENCE: Final = 60.0
"""Seconds for one file: ten minutes of sound take some ten on a slow machine."""
AT_ONCE: Final = asyncio.Semaphore(1)
"""One at a time: others wait, and calls keep the machine."""


async def read_sound(data: bytes) -> bytes:
    """Return a WAV or mp3 file as A-law octets. Raises UnfitSound."""
    async with AT_ONCE:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "kobza.media.sound_process"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(PATIENCE):
                octets, said = await process.communicate(data)
        except TimeoutError:
            raise UnfitSound("The file takes too long to read.") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
    if process.returncode == 0:
        return octets
    raise UnfitSound(said.decode().strip() if process.returncode == UNFIT else "The file cannot be read.")


def main() -> int:
    """Read one file; return the exit code."""
    try:
        sys.stdout.buffer.write(telephone_sound(sys.stdin.buffer.read()))
    except UnfitSound as error:
        sys.stderr.write(str(error))
        return UNFIT
    return 0


if __name__ == "__main__":
    sys.exit(main())
