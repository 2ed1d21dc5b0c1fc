"""The bouncer's people and their networks, as long as the process runs. No I/O: the world is reached through ports."""
