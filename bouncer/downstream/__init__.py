"""What an attached client may do and gets: registration, commands, replies, and the rendering of the log for it.

Knows nothing of the network's connection, of sockets or of storage: they are ports.
"""
