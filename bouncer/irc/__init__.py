"""The language of IRC: values and functions over bytes and text.

Owns what a line means on the wire; knows nothing of sockets, clocks or the bouncer.
"""
