"""Taking history and whole homes out of a bouncer and into one: commands that read and write files."""
