"""Proof that no event is ever lost: an office is killed with SIGKILL again and again, and its books must be right.

    make crash                                          # 1,000 kills on SQLite, some two hours
    make crash ARGS="--database postgresql --kills 50"
    make crash ARGS="--seed 7 --first 123 --kills 1"    # the round 7-123 again

In a round real softphones in a process of their own make real calls (SIP and RTP, some recorded) through a real
`kobza serve` that posts call states to a sink. Meanwhile parts of the server are killed, its store is locked, its disk
is full, its database dies. Then the server is killed: at any moment, or in the middle of a commit or of encoding, as
the kernel tells by the files that change. It is started again, perhaps killed while it puts the books in order, and
once everything has come to rest the books are checked (`books`):

- every call that a phone saw (a provisional answer above 100 or a 200 at the caller, an INVITE at the called phone) or
  that click2dial promised is in the history exactly once, and finished;
- the states of every leg are 1, 2, 3 … in the journal, `finished` exactly once and last;
- every stored state came to the sink, in order within the leg; nothing came that is not stored;
- every spool that was on the disk is an mp3 as long as it and with as much sound, named by its call; no file is left;
- every phone that was told that it is registered has a binding.

What a round does is drawn from its seed (`plan`), which is printed. The same seed does the same again; only where
exactly within a process a kill hits is chance.
"""
