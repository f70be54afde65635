"""The small C programs of the benches, compiled when they are first wanted."""

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parent / "build"


def program(name: str) -> Path | None:
    """Return the program made of `bench/NAME.c`; None where there is no C compiler."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        return None
    source, made = HERE / f"{name}.c", BUILD / name
    if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
        BUILD.mkdir(exist_ok=True)
        subprocess.run([compiler, "-O2", "-o", made, source, "-lm"], check=True)
    return made
