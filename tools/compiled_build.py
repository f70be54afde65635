"""The compiled build: mypyc makes extension modules of those on the way of a call (docs/adr/0016-cost-of-a-call.md),
and a C compiler one for the way of a packet (docs/adr/0051-cost-of-media.md).

`make compile` puts them beside their sources, `make pure` takes them away. For a wheel that has them, this is a build
hook of hatchling, off unless asked for: `HATCH_BUILD_HOOK_ENABLE_CUSTOM=1 pip wheel .` needs a C compiler, the plain
`pip wheel .` does not. Which modules they are is said in `pyproject.toml`, where the hook is.
"""

import argparse
import hashlib
import os
import shutil
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from mypyc.build import mypycify
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parents[1]
SOURCES = Path("src")
MANIFEST = Path("kobza/compiled.sha256")
"""Of `kobza.builds`: the sums of what was compiled."""
SHARED = "*__mypyc.*"
"""The library that all compiled modules share, at the top of the import path."""
SUFFIX: str = sysconfig.get_config_var("EXT_SUFFIX")
PACKETS = Path("kobza/media/_packets.c")
"""The one module that is written in C, for Linux alone; it fits Python 3.11 and every later one."""
CALLS_DIRECTLY = ("-fvisibility=hidden", "-fno-plt")
"""For the C compilers of Linux: functions of the shared library call each other, and Python's, without a jump through
a table. A twelfth fewer of the processor's fetches of code from outside its nearest cache, and a sixth of its data."""


def modules(patterns: Sequence[str]) -> list[Path]:
    """Return the sources that patterns name (`!` before one takes away), relative to `src`."""
    chosen: set[Path] = set()
    for pattern in patterns:
        found = {path.relative_to(ROOT / SOURCES) for path in ROOT.glob(pattern.removeprefix("!"))}
        if not found:
            raise SystemExit(f"pyproject.toml lists modules to compile that are not there: {pattern}")
        chosen = chosen - found if pattern.startswith("!") else chosen | found
    return sorted(chosen)


def listed() -> list[Path]:
    """Return the sources that `pyproject.toml` lists, relative to `src`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return modules(project["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["modules"])


def compile_into(target: Path, sources: Sequence[Path], scratch: Path) -> list[Path]:
    """Compile; return the files that were made, relative to `target`, the manifest among them."""
    require_compiler()
    os.chdir(ROOT / SOURCES)  # mypyc names modules by their paths from here
    options = ["--config-file", str(ROOT / "pyproject.toml"), *map(str, sources)]
    extensions = mypycify(
        options, opt_level="2", debug_level="0", multi_file=True, group_name="kobza", target_dir=str(scratch / "c")
    )
    if sys.platform == "linux":
        for extension in extensions:
            extension.extra_compile_args += CALLS_DIRECTLY
    written = [packets_extension()] if sys.platform == "linux" else []
    build([*extensions, *written], target, scratch)
    made = [path.relative_to(target) for path in target.rglob(f"*{Path(SUFFIX).suffix}")]
    sources = [*sources, *([PACKETS] if written else [])]
    lines = [
        f"{hashlib.sha256(source.read_bytes()).hexdigest()}  {source.relative_to('kobza')}\n" for source in sources
    ]
    (target / MANIFEST).write_text("".join(lines))
    return [*made, MANIFEST]


def packets_extension() -> Extension:
    """Return the module of the way of a packet; the sources' folder is the current one."""
    return Extension(
        "kobza.media._packets",
        [str(PACKETS)],
        py_limited_api=True,
        extra_compile_args=["-O2", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Wno-cast-function-type"],
    )


def build(extensions: Sequence[Any], target: Path, scratch: Path) -> None:
    """Compile extension modules into a folder, each below it where it is imported from."""
    built = Distribution({"name": "kobza", "ext_modules": extensions, "cmdclass": {"build_ext": ParallelBuild}})
    command = built.get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(target), str(scratch / "o")
    built.run_command("build_ext")


class ParallelBuild(build_ext):
    """Compiles the C files of an extension on all processors; setuptools goes through them one by one."""

    def build_extension(self, ext: Extension) -> None:
        """Compile, then link."""

        def compiled(source: str) -> list[str]:
            return self.compiler.compile(  # type: ignore[no-any-return]  # its stubs leave the compiler open
                [source],
                output_dir=self.build_temp,
                include_dirs=ext.include_dirs,
                extra_postargs=ext.extra_compile_args,
                depends=ext.depends,
            )

        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            ext.extra_objects = [name for names in pool.map(compiled, ext.sources) for name in names]
        ext.sources = []
        super().build_extension(ext)


def require_compiler() -> None:
    """Stop with what to do when there is no C compiler or no header of Python."""
    command = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(command) is None:
        raise SystemExit(f"the compiled build needs a C compiler ({command}); on Debian: apt-get install gcc")
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        raise SystemExit("the compiled build needs the headers of Python; on Debian: apt-get install python3-dev")


def remove() -> None:
    """Take away what an earlier `make compile` put beside the sources."""
    sources = ROOT / SOURCES
    (sources / MANIFEST).unlink(missing_ok=True)
    for path in (*sources.glob(SHARED), *(sources / "kobza").rglob(f"*{Path(SUFFIX).suffix}")):
        path.unlink()


class CompiledBuild(BuildHookInterface[Any]):
    """Adds the extension modules to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless the wheel is that of an editable installation: for this there is `make compile`."""
        if version == "editable":
            return
        self.scratch = tempfile.TemporaryDirectory(prefix="kobza-compiled-")
        scratch = Path(self.scratch.name)
        target = scratch / "made"
        made = compile_into(target, modules(self.config["modules"]), scratch)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"].update({str(target / path): str(path) for path in made})

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - hatchling's
        """Remove what the wheel has now."""
        if version != "editable":
            self.scratch.cleanup()


def main() -> None:
    """Put extension modules beside their sources, or take them away."""
    parser = argparse.ArgumentParser(description="Compile the modules on the way of a call, in place.")
    parser.add_argument("--remove", action="store_true", help="take the compiled modules away again")
    if parser.parse_args().remove:
        remove()
        return
    sources = listed()
    print(f"compiling {len(sources)} modules: some minutes")
    with tempfile.TemporaryDirectory(prefix="kobza-compiled-") as folder:
        scratch = Path(folder)
        made = compile_into(scratch / "made", sources, scratch)
        remove()
        for path in made:
            shutil.copy2(scratch / "made" / path, ROOT / SOURCES / path)
    print(
        f"{len(sources)} modules are compiled; KOBZA_PURE=1 runs the sources all the same, `make pure` takes them away"
    )


if __name__ == "__main__":
    main()
