-- The other conversations that a line belongs to: of a QUIT or NICK, the channels in which that person was seen.
CREATE TABLE links (
    network INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    target INTEGER NOT NULL,
    PRIMARY KEY (network, seq, target)
) WITHOUT ROWID;
INSERT OR IGNORE INTO links (network, seq, target)
    SELECT t.network, p.seq, p.target FROM places AS p JOIN targets AS t ON t.id = p.target WHERE p.kind IN (6, 7);

-- Who is talked with has changed nicks rarely: they are looked for before each page of a private conversation.
CREATE INDEX nicks ON places (target, time, seq) WHERE kind = 7;
