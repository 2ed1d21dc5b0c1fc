"""The nouns of the bouncer and the ports between its rooms. Knows no floor above it."""
