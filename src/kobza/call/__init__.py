"""One call as two (or more) legs, without I/O: routing, the B2BUA, call facts, owner states, call records, causes."""
