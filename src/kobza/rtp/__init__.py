"""RTP (RFC 3550) without I/O: headers, RTCP, DTMF events, G.711, and streams that outlive a switch of sources.

Also what shares its port with a browser: STUN (RFC 8489) and the lite end of ICE (RFC 8445).
"""
