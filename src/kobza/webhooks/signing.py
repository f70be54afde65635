"""The headers of the Standard Webhooks specification, with which a receiver knows who sent a request."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from standardwebhooks import Webhook

_CACHED_SECRETS: Final = 1024


def signature_headers(secret: str, event_id: str, body: bytes, now: float) -> dict[str, str]:
    """Return `webhook-id`, `webhook-timestamp` and `webhook-signature` of one attempt at a moment, in seconds.

    The id is the same in every attempt, so that the receiver can tell a repeat. Raises ValueError for a secret that
    is not what `kobza.webhooks.endpoint.check_secret` lets through.
    """
    at = datetime.fromtimestamp(int(now), UTC)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": signer(secret).sign(event_id, at, body.decode()),
    }


@lru_cache(_CACHED_SECRETS)
def signer(secret: str) -> Webhook:
    """Return what signs with a secret (`whsec_` and base64, or base64 alone); ValueError when it is none."""
    try:
        return Webhook(secret)
    except Exception as error:
        raise ValueError("the secret is not base64") from error
