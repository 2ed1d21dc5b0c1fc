"""The real parts of tests/real: IRC servers, IRC clients, the bouncer's own process, and a scripted talker.

Everything here is a black box driven from outside. No module of `bouncer` is imported, so that a mistake of ours in
reading a line is never repeated by what is to find it.
"""
