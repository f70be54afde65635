"""The defence of the SIP door, without I/O: who is let in before anything is read, and who is answered.

Bytes, addresses and `now` go in; yes or no comes out. See docs/defence.md and docs/adr/0039-defence-at-the-sip-door.md.
"""
