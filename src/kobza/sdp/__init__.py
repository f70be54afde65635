"""Session descriptions (RFC 8866) and the offer/answer model (RFC 3264) for audio, without I/O.

`description` parses and writes, `codecs` reads payload types, `audio` finds the audio stream of a description and says
where it wants its packets, `webrtc` what a browser needs beside that, `negotiation` writes offers and answers.
"""
