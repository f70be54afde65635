"""The command line in this process, for what a test only needs to be there.

A process of its own costs each command a second, most of it for imports. Tests that are about the command line start
one, as a user does.
"""

import os
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from unittest.mock import patch

from kobza.cli.main import run_command


def kobza_here(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a command with these settings in addition to the environment's; return what it printed.

    Raises:
        AssertionError: it refused or failed; says what it said.

    """
    out, err = StringIO(), StringIO()
    with patch.dict(os.environ, environment or {}), redirect_stdout(out), redirect_stderr(err):
        code = run_command(arguments)
    assert code == 0, f"kobza {' '.join(arguments)}: {out.getvalue()}{err.getvalue()}"
    return out.getvalue()
