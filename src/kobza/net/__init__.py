"""The thin asyncio driver of the SIP core: sockets, connections, timers, the clock."""
