"""Taking call states that are posted to you: signatures, typed states, and small WSGI and ASGI applications.

    from kobza.client.receiver import WsgiReceiver

    def on_state(state):
        print(state.state_type, state.state_owner, state.phone_number)

    application = WsgiReceiver(on_state, token="remote-token", secret="whsec_…")

Whoever has a framework calls `verify` and `parse_state` in a view of its own. A state is sent until it is answered with
a 2xx: let `on_state` raise and it comes again. It may come twice, which `event_id` tells; the applications here hand
each on once, as far as they remember.
"""

from kobza.client.inbox import Receiver, Reply, SignatureInvalid, StateMalformed, parse_state, verify
from kobza.client.models import CallState
from kobza.client.receiver_apps import AsgiReceiver, WsgiReceiver

__all__ = [
    "AsgiReceiver",
    "CallState",
    "Receiver",
    "Reply",
    "SignatureInvalid",
    "StateMalformed",
    "WsgiReceiver",
    "parse_state",
    "verify",
]
