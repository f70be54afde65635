"""Secrets of second factors in the store."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.portal.vault import Vault, VaultError, is_kept

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def test_a_secret_is_read_for_its_owner_with_the_key_alone() -> None:
    vault = Vault(b"k" * 32)
    kept = vault.keep("olena", SECRET)
    assert is_kept(kept)
    assert not is_kept(SECRET)
    assert SECRET not in kept
    assert vault.keep("olena", SECRET) != kept, "the same secret looks different each time"
    assert vault.read("olena", kept) == SECRET
    for other, owner, text in (
        (Vault(b"x" * 32), "olena", kept),
        (vault, "petro", kept),
        (vault, "olena", kept[:-6] + "AAAAAA"),
        (vault, "olena", SECRET),
        (vault, "olena", "v1."),
    ):
        with pytest.raises(VaultError):
            other.read(owner, text)


@given(st.text(max_size=120))
def test_nothing_else_is_read(text: str) -> None:
    with pytest.raises(VaultError):
        Vault(b"k" * 32).read("olena", text)
