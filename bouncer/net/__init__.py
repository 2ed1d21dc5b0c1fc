"""Sockets: what listens, what accepts, what reads and writes, and TLS. Knows lines, but not what any of them means."""
