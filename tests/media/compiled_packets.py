"""The compiled loop for tests, also where nothing is compiled."""

import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from kobza import media
from kobza.media.packet_loop import is_compiled
from tools.compiled_build import PACKETS, ROOT, SOURCES, build, packets_extension, require_compiler

NAME = "kobza.media._packets"


def built() -> Path:
    """Return the module, compiled from the source as it is, once for all test processes; skip without a compiler."""
    try:
        require_compiler()
    except SystemExit as error:
        pytest.skip(str(error))
    content = (ROOT / SOURCES / PACKETS).read_bytes()
    made = ROOT / "build" / "packets" / f"{hashlib.sha256(content).hexdigest()[:16]}.so"
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        before = Path.cwd()
        with tempfile.TemporaryDirectory(dir=made.parent) as folder:
            os.chdir(ROOT / SOURCES)
            try:
                build([packets_extension()], Path(folder), Path(folder))
            finally:
                os.chdir(before)
            [library] = Path(folder).rglob("_packets*.so")
            shutil.copy2(library, made.with_suffix(f".{os.getpid()}"))
        made.with_suffix(f".{os.getpid()}").replace(made)
    return made


def load() -> None:
    """Have the compiled loop in this process, or skip."""
    if sys.platform != "linux":
        pytest.skip("the compiled loop is for Linux")
    if is_compiled():
        return
    spec = importlib.util.spec_from_file_location(NAME, built())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[NAME] = module
    media._packets = module  # as an import would set it
