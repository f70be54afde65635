"""The media plane: RTP between the two sides of a call, tones, recording and mp3.

`plane` is the interface that the rest of Kobza knows. `embedded` implements it with a relay in a process of its own:
`negotiation` does the SDP work of a call in the PBX's process, `relay` moves the packets in the other. Between them
goes what `messages` defines. `recorder` writes what is heard into a spool, `encoder` makes an mp3 of it.
"""
