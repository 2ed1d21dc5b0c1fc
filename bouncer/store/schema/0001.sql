-- Names come from IRC: they are TEXT where they are UTF-8, else the BLOB of their bytes.
-- ``secrets`` and ``key`` are encrypted. Times of removal and of sight are seconds since 1970, those of lines milliseconds.

-- boot: how often this database was started. next_user, next_network: ids below were given once and are never given
-- again. check: a sealed value that only the right key opens.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value ANY NOT NULL
) WITHOUT ROWID;

INSERT INTO meta (name, value) VALUES ('boot', 0), ('next_user', 1), ('next_network', 1);

CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    settings TEXT NOT NULL, -- JSON
    secrets BLOB NOT NULL, -- sealed JSON
    deleted_at INTEGER -- NULL while the user exists
);

CREATE TABLE networks (
    id INTEGER PRIMARY KEY,
    user INTEGER NOT NULL,
    place INTEGER NOT NULL, -- the order in which its user has them
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    secrets BLOB NOT NULL,
    deleted_at INTEGER
);
CREATE INDEX networks_of_user ON networks (user);

CREATE TABLE channels (
    network INTEGER NOT NULL,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    key BLOB NOT NULL, -- sealed; empty without a key
    detached INTEGER NOT NULL,
    PRIMARY KEY (network, place)
) WITHOUT ROWID;

-- Numbers up to seq may have been given. Raised at each start; between starts the lines themselves tell.
CREATE TABLE heads (
    network INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL
);

CREATE TABLE targets (
    id INTEGER PRIMARY KEY,
    network INTEGER NOT NULL,
    folded TEXT NOT NULL,
    name TEXT NOT NULL, -- as it was first spelled
    UNIQUE (network, folded)
);

-- Clustered by network: a page of history is one run of neighbours, and measured as fast to fill as a rowid table.
-- Empty strings instead of NULL: binding a NULL from Python costs four times as much.
CREATE TABLE messages (
    network INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    time INTEGER NOT NULL,
    kind INTEGER NOT NULL, -- of bouncer.model.entry.Kind
    target INTEGER NOT NULL, -- 0: the line belongs to no conversation
    device TEXT NOT NULL,
    boot INTEGER NOT NULL,
    msgid TEXT NOT NULL, -- the network's own, or empty
    raw BLOB NOT NULL,
    PRIMARY KEY (network, seq)
) WITHOUT ROWID;

CREATE TABLE positions (
    network INTEGER NOT NULL,
    device TEXT NOT NULL,
    seq INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (network, device)
) WITHOUT ROWID;
