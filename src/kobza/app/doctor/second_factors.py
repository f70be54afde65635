"""The second factors of people: whether the portal can read their secrets."""

from collections.abc import Iterable
from typing import Final

from kobza.app.doctor.findings import Finding, bad, good, look
from kobza.app.portal_parts import PORTAL_KEY
from kobza.config.settings import Settings, store_place
from kobza.portal.vault import Vault, VaultError, is_kept
from kobza.store import Store, second_factor

CHECK: Final = "second factors"
BRING_BACK: Final = (
    f"put back the {PORTAL_KEY} of the backup; else each signs in by a recovery code and sets it up anew, or "
    "kobza person reset LOGIN --keep-password --second-factor-off"
)


def second_factors(settings: Settings) -> Iterable[Finding]:
    """Look at them. Nothing is said where nobody has one."""
    store = Store.open(store_place(settings))
    try:
        with store.read() as conn:
            secrets = second_factor.secrets(conn)
    finally:
        store.close()
    sealed = [(user_id, text) for user_id, text in secrets if is_kept(text)]
    if plain := len(secrets) - len(sealed):
        yield look(CHECK, f"the secrets of {plain} are not encrypted", "the next start of the server encrypts them")
    if not sealed:
        return
    try:
        vault = Vault((settings.data / PORTAL_KEY).read_bytes())
    except FileNotFoundError:
        yield bad(CHECK, f"{len(sealed)} are encrypted by {PORTAL_KEY}, which is not there", BRING_BACK)
        return
    lost = sum(not _opens(vault, user_id, text) for user_id, text in sealed)
    if lost:
        yield bad(CHECK, f"{lost} of {len(sealed)} were encrypted by another {PORTAL_KEY} than is there", BRING_BACK)
    else:
        yield good(CHECK, f"{len(sealed)}, encrypted by {PORTAL_KEY}")


def _opens(vault: Vault, user_id: str, text: str) -> bool:
    try:
        vault.read(user_id, text)
    except VaultError:
        return False
    return True
