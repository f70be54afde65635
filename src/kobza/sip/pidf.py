"""Whether a number can be reached, for the contact lists of softphones: application/pidf+xml (RFC 3863, 4480)."""

from __future__ import annotations

from typing import Final

from kobza.sip.uri import SipUri
from kobza.sip.xml_text import attribute

CONTENT_TYPE: Final = "application/pidf+xml"


def pidf(user: str, host: str, *, reachable: bool, on_the_phone: bool) -> bytes:
    """Write the presence of a number, under the URI that was subscribed to."""
    activity = '<dm:person id="person"><rpid:activities><rpid:on-the-phone/></rpid:activities></dm:person>'
    note = "<note>On the phone</note>" if on_the_phone else ""
    return (
        '<?xml version="1.0"?>\n<presence xmlns="urn:ietf:params:xml:ns:pidf"'
        ' xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"'
        f' entity={attribute(str(SipUri("sip", user=user, host=host)))}><tuple id="kobza"><status><basic>'
        f"{'open' if reachable else 'closed'}</basic></status>{note}</tuple>"
        f"{activity if on_the_phone else ''}</presence>"
    ).encode()
