"""One row for each IRCv3 capability. Knows how a line looks to those without it; knows no client and no network."""
