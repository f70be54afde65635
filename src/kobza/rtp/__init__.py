"""RTP (RFC 3550) without I/O: headers, RTCP, DTMF events, G.711, and streams that outlive a switch of sources."""
