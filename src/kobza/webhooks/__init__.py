"""Webhooks: call states to the enterprises' own systems, in order, until they are taken (contract, section 4)."""
