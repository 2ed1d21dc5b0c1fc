"""The IRC skin of the operations: what ``/msg *bouncer ...`` answers."""
