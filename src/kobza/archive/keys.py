"""The key file: the keys by which the data keys of recordings are encrypted, each with an id, the newest last.

```
# keys of recordings: keep a copy apart from the backups
2026-11-27 1Jm3Cq…=
```

A recording has a data key of its own, which is kept in its row, encrypted (AES-256-GCM) by one of these and bound to
the recording. So a new key means new rows, not new files; and whoever has the files, or the store, has nothing.
"""

import base64
import binascii
import os
import re
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kobza.archive.home import HomeAway

KEY_BYTES: Final = 32
MAX_FILE: Final = 64 * 1024
HEAD: Final = "# keys of recordings, the newest last: keep a copy apart from the backups\n"
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_NONCE: Final = 12


class KeysWrong(ValueError):
    """The key file cannot be read, or says nothing that could be keys."""


class KeyLost(HomeAway):
    """The key of a recording is not in the key file, or is another one: the recording cannot be read without it."""


class Keys:
    """The keys of a key file."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        """`keys`: by id, the newest last."""
        self._keys = keys

    @classmethod
    def parse(cls, text: str) -> "Keys":
        """Read the text of a key file. Raises KeysWrong that names the line."""
        keys: dict[str, bytes] = {}
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if len(words) != 2 or _ID.fullmatch(words[0]) is None:
                raise KeysWrong(f"line {number}: expected an id (letters, digits, - and _) and a key in Base64")
            try:
                key = base64.b64decode(words[1], validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if len(key) != KEY_BYTES:
                raise KeysWrong(f"line {number}: expected {KEY_BYTES} bytes in Base64 behind the id {words[0]}")
            if words[0] in keys:
                raise KeysWrong(f"line {number}: the id {words[0]} is there twice")
            keys[words[0]] = key
        if not keys:
            raise KeysWrong("there is no key in it: kobza recordings newkey makes one")
        return cls(keys)

    @classmethod
    def load(cls, path: Path) -> "Keys":
        """Read a key file. Raises KeysWrong."""
        try:
            with path.open("rb") as file:
                return cls.parse(file.read(MAX_FILE).decode("ascii"))
        except OSError as error:
            raise KeysWrong(f"{path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError:
            raise KeysWrong(f"{path} is no key file: it is not ASCII") from None
        except KeysWrong as error:
            raise KeysWrong(f"{path}: {error}") from None

    @property
    def ids(self) -> list[str]:
        """The ids, the newest last."""
        return list(self._keys)

    @property
    def newest(self) -> str:
        """The id of the key for new recordings."""
        return self.ids[-1]

    def wrap(self, data_key: bytes, record_id: str) -> str:
        """Return a data key as the store keeps it, by the newest key."""
        nonce = os.urandom(_NONCE)
        wrapped = nonce + AESGCM(self._keys[self.newest]).encrypt(nonce, data_key, record_id.encode())
        return f"{self.newest}.{base64.b64encode(wrapped).decode()}"

    def unwrap(self, kept: str, record_id: str) -> bytes:
        """Return the data key of a recording. Raises KeyLost."""
        key_id, _, text = kept.partition(".")
        if key_id not in self._keys:
            raise KeyLost(f"recording {record_id} needs the key {key_id}, which is not in the key file")
        try:
            wrapped = base64.b64decode(text, validate=True)
            return AESGCM(self._keys[key_id]).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], record_id.encode())
        except (InvalidTag, ValueError):
            raise KeyLost(f"the key {key_id} of the key file is not that of recording {record_id}") from None


def key_id_of(kept: str) -> str:
    """Return the id of the key by which a data key is encrypted."""
    return kept.partition(".")[0]


def add_key(path: Path, key_id: str) -> None:
    """Write a new key to the end of a key file, which is made, for its owner alone. Raises KeysWrong."""
    if _ID.fullmatch(key_id) is None:
        raise KeysWrong(f"{key_id!r} is no id: expected letters, digits, - and _")
    text = path.read_text("ascii") if path.exists() else HEAD
    if path.exists() and key_id in Keys.load(path).ids:
        raise KeysWrong(f"{path} has a key {key_id} already: give another id")
    line = f"{key_id} {base64.b64encode(os.urandom(KEY_BYTES)).decode()}\n"
    partial = path.with_name(path.name + ".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(text if text.endswith("\n") else text + "\n")
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
