"""Where tests put their files: in memory, where there is plenty.

Nothing of theirs has to outlive the machine, and half of what a test with a store costs is files that are made and
removed.
"""

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
PLENTY = 8 * 2**30
"""Bytes that have to be free: a whole run takes one, and a container often has 64 MiB."""


def work_in_memory() -> None:
    """Make temporary files of this process and of those that it starts there, unless TMPDIR says where else."""
    if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= PLENTY:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)
