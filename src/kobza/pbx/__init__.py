"""The conductor: SIP events to calls to actions, the journal, registrations, commands, presence."""
