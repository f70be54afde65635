"""A real OpenID Connect provider, as a process of its own (see `openid_server`)."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

from joserfc.jwk import RSAKey

from tests.support.waiting import PATIENCE

PYTHON = Path(sys.prefix) / "provider/bin/python"
SERVER = Path(__file__).with_name("openid_server.py")
CLIENT_ID, CLIENT_SECRET = "kobza-portal", "a secret: of the client"
PASSWORD = "seven-quiet-owls"
KNOWN, UNKNOWN = "olena", "stranger"
"""Two people of the provider; the enterprise of the tests knows the first one."""
MISSING = None if PYTHON.exists() else "the OpenID Connect provider is not installed (make dev)"


@contextmanager
def provider(port: int, redirect: str, folder: Path) -> Iterator[str]:
    """Run a provider with a key that it had never before; give its issuer."""
    key_file = folder / "provider-key.pem"
    key_file.write_bytes(RSAKey.generate_key(2048).as_pem(private=True))
    issuer = f"http://127.0.0.1:{port}"
    with (folder / "provider.log").open("ab") as log:
        command = [str(PYTHON), "-I", str(SERVER), str(port), redirect, str(key_file)]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        _wait(process, f"{issuer}/.well-known/openid-configuration")
        yield issuer
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _wait(process: "subprocess.Popen[bytes]", url: str) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, "the provider did not start"
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE):
                return
        except (URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError("the provider does not answer")
