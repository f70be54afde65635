"""The phones and tools of others: where they are, and what a test does without them."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.ci import IN_CI


def require(*programs: str) -> None:
    """Skip the test when a program or file is missing; fail instead where `make test` has to have installed it."""
    missing = [program for program in programs if shutil.which(program) is None and not Path(program).is_file()]
    if not missing:
        return
    reason = f"{', '.join(missing)} not installed (as root on Debian: make test-tools)"
    if IN_CI and os.geteuid() == 0:
        pytest.fail(reason)
    pytest.skip(reason)
