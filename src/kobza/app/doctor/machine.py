"""The machine: Python and libraries, zones, the clock, limits, room on the disk, who can read secrets."""

import ctypes
import os
import resource
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kobza import BUILD
from kobza.app.doctor.findings import Finding, bad, good, look
from kobza.app.portal_parts import PORTAL_KEY
from kobza.builds import PACKAGE, Build
from kobza.config.loading import Loaded
from kobza.media.priority import HOW, PriorityName, is_allowed
from kobza.store import driver
from kobza.store.errors import LibraryTooOld

OLDEST_PYTHON: Final = (3, 11)
ZONE: Final = "Europe/Kyiv"
MB_OF_A_MINUTE: Final = 0.24
"""A recorded minute takes 240 kB (`media.encoder.BIT_RATE`)."""
LITTLE_TIMES: Final = 10
"""So many times what is kept free is little: somebody should look. By default 2 GB, 140 hours of recordings."""
TOO_LITTLE: Final = 2e8
"""Bytes free below which the store itself is in danger."""
CHECKOUT: Final = PACKAGE.parents[1]
"""Where `make` is at home, unless Kobza was installed from a wheel."""
OTHER_FILES: Final = 256
"""Files and connections besides those of the media."""
UNSYNCHRONISED: Final = 5
"""What adjtimex(2) answers when nobody disciplines the clock (TIME_ERROR)."""
READABLE: Final = stat.S_IRWXG | stat.S_IRWXO


def build(which: Build) -> Finding:
    """Say which build runs, and where one can be made that takes less."""
    if which is Build.STALE:
        return look("build", which, "make compile, for calls at less CPU; or make pure")
    if which is Build.NEVER_COMPILED and (CHECKOUT / "Makefile").exists() and shutil.which("cc") is not None:
        return good("build", f"{which}; a C compiler is here: after `make compile` calls take less CPU")
    return good("build", which)


def python() -> Iterable[Finding]:
    """Look at the interpreter and the libraries that Kobza needs."""
    found = f"Python {sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    if sys.version_info[:2] < OLDEST_PYTHON:
        yield bad("Python", found, "install Python 3.11 or newer")
    else:
        yield good("Python", f"{found}, Kobza {version('kobza')}")
    yield build(BUILD)
    missing = []
    for requirement in requires("kobza") or []:
        if "extra ==" in requirement:
            continue
        name = requirement.split(";")[0].split("[")[0].split(">")[0].split("=")[0].strip()
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        yield bad("libraries", f"missing: {', '.join(missing)}", "install Kobza anew (make install)")
    try:
        driver.check_library()
    except LibraryTooOld as error:
        yield bad("libraries", str(error), "make install, or pip install --upgrade pysqlite3")
    else:
        if not missing:
            yield good("libraries", f"all there; SQLite {driver.dbapi.sqlite_version}, psycopg {version('psycopg')}")


def zones() -> Iterable[Finding]:
    """Look at the time zone data and at how names of files are written."""
    try:
        zone = ZoneInfo(ZONE)
    except ZoneInfoNotFoundError:
        yield bad("time zones", f"{ZONE} is not known", "install Debian's tzdata, or pip install tzdata")
        return
    year = datetime.now(UTC).year
    offsets = [zone.utcoffset(datetime(year, month, 15)) for month in (1, 7)]  # noqa: DTZ001 - the zone is asked
    hours = [0 if offset is None else offset.total_seconds() / 3600 for offset in offsets]
    said = f"{ZONE} is UTC+{hours[0]:g} in January and UTC+{hours[1]:g} in July"
    if hours[0] != 2:
        yield look("time zones", said, "check that the time zone data is current (Debian: apt-get install tzdata)")
    else:
        yield good("time zones", said)
    encoding = sys.getfilesystemencoding()
    if encoding.lower() != "utf-8":
        yield look("locale", f"names of files are written in {encoding}", "set LANG=C.UTF-8 for the service")
    else:
        yield good("locale", "texts and names of files are UTF-8")


def clock() -> Iterable[Finding]:
    """Look whether somebody keeps the clock right."""
    try:
        answer = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (AttributeError, OSError):
        yield look("clock", "it cannot be asked whether it is kept right", "make sure that NTP runs")
        return
    if answer == UNSYNCHRONISED:
        yield look(
            "clock",
            "the kernel says that nobody keeps it right",
            "run NTP (Debian: apt-get install chrony): history, tokens and signatures go by it; in a container the "
            "host's counts",
        )
    else:
        yield good("clock", "it is kept right")


def limits(media_ports: int) -> Iterable[Finding]:
    """Look whether a process may open as many files as there are ports for the media."""
    may, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = media_ports + OTHER_FILES
    if may != resource.RLIM_INFINITY and may < needed:
        yield look(
            "open files",
            f"a process may open {may}, and all ports of the media together need {needed}",
            f"LimitNOFILE={needed} in the service's unit (or ulimit -n {needed}; the hard limit is {most})",
        )
    else:
        yield good("open files", f"a process may open {may}")


def processors(media_processes: int) -> Iterable[Finding]:
    """Look whether each media process can have a processor; one alone is never looked at."""
    there = len(os.sched_getaffinity(0))
    if media_processes > there:
        yield look(
            "media processes",
            f"{media_processes} media processes share {there} processors",
            f"media_processes = {there}: more only share out what there is",
        )
    elif media_processes > 1:
        yield good("media processes", f"{media_processes}, with {there} processors")


def priority(name: PriorityName) -> Iterable[Finding]:
    """Look whether the media process may run before all ordinary ones."""
    if name == "normal":
        yield good("media priority", "ordinary, as it is set")
    elif is_allowed():
        yield good("media priority", "the media process may run before all ordinary ones")
    else:
        yield look(
            "media priority", "the media process may not run before others: on a busy machine audio is late", HOW
        )


def disk(data: Path, keep_free: float = TOO_LITTLE) -> Iterable[Finding]:
    """Look whether there is room, `keep_free` bytes of it not for recordings, and whether those can be written."""
    if not data.is_dir():
        yield bad("data directory", f"there is no directory {data}", "kobza init")
        return
    folder = data / "recordings"
    target = folder if folder.is_dir() else data
    usage = shutil.disk_usage(target)
    hours = usage.free / 1e6 / MB_OF_A_MINUTE / 60
    said = f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.1f} GB are free: {hours:,.0f} hours of recordings"
    advice = "make room, or keep recordings for a shorter time (kobza retention set)"
    if usage.free < keep_free:
        yield bad("disk", f"{said}; calls are not recorded (recordings_keep_free_mb)", advice)
    elif usage.free < TOO_LITTLE:
        yield bad("disk", said, advice)
    elif usage.free < max(keep_free, TOO_LITTLE) * LITTLE_TIMES:
        yield look("disk", said, advice)
    else:
        yield good("disk", said)
    nodes = os.statvfs(target)
    if nodes.f_files and nodes.f_favail < nodes.f_files // 50:
        yield look("disk", f"only {nodes.f_favail} more files can be made", "a recording is a file: make room for more")
    try:
        with tempfile.TemporaryFile(dir=target) as file:
            file.write(b"x")
    except OSError as error:
        yield bad("recordings", f"{target} cannot be written: {error.strerror}", f"give the service's user {target}")
    else:
        yield good("recordings", f"{target} can be written")


def secrets(loaded: Loaded) -> Iterable[Finding]:
    """Look who can read what nobody else should."""
    data = loaded.settings.data
    paths = [data, data / PORTAL_KEY, data / "kobza.db"]
    secret = {"store", "nonce_secret", "oidc_client_secret", "s3_secret_key"}
    with_secrets = secret & {name for name, source in loaded.sources.items() if source == "file"}
    if (keys := loaded.settings.recordings_keys) is not None:
        paths.append(keys)
    if loaded.file is not None and with_secrets:
        paths.append(loaded.file)
    there = [path for path in paths if path.exists()]
    closed = data.exists() and not stat.S_IMODE(data.stat().st_mode) & READABLE
    for path in there:
        inside = closed and path != data and path.is_relative_to(data)
        if stat.S_IMODE(path.stat().st_mode) & READABLE and not inside:
            mode = "700" if path.is_dir() else "600"
            yield bad("secrets", f"others on this machine can read {path}", f"chmod {mode} {path}")
            return
    yield good("secrets", "only their owner can read them")
