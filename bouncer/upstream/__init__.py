"""What a network's lines mean: they draw its picture (NetworkState) and find their conversation.

Knows nothing of attached clients, of sockets, or of the client library that reads the lines.
"""
