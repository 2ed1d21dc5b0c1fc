BEGIN TRANSACTION;
CREATE TABLE channels (
    network INTEGER NOT NULL,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    key BLOB NOT NULL, -- sealed; empty without a key
    detached INTEGER NOT NULL, settings TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (network, place)
) WITHOUT ROWID;
INSERT INTO "channels" VALUES(1,0,'#a',X'F48D3DE7280567210D8A98E697008F7CBE19BEC5D471E5009F64962242A108274E6D880526A76F277C49',1,'{}');
INSERT INTO "channels" VALUES(1,1,X'23636166E9',X'',0,'{}');
CREATE TABLE heads (
    network INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL
);
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
INSERT INTO "messages" VALUES(1,1,1790000000001,1,1,'',1,'x',X'406D736769643D78203A626F62216240686F737420505249564D5347202361203A6F6E65');
INSERT INTO "messages" VALUES(1,2,1790000000002,4,1,'',1,'',X'3A626F62216240686F7374204A4F494E202361');
INSERT INTO "messages" VALUES(1,3,1790000000003,1,1,'',1,'',X'3A626F62216240686F737420505249564D5347202341203A746872656520FF');
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value ANY NOT NULL
) WITHOUT ROWID;
INSERT INTO "meta" VALUES('boot',1);
INSERT INTO "meta" VALUES('check',X'13E3399E38E66EBB98B3A40FE8AC6781D186EDD8A12126431654478D976AB443C4F401');
INSERT INTO "meta" VALUES('next_network',2);
INSERT INTO "meta" VALUES('next_user',2);
CREATE TABLE networks (
    id INTEGER PRIMARY KEY,
    user INTEGER NOT NULL,
    place INTEGER NOT NULL, -- the order in which its user has them
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    secrets BLOB NOT NULL,
    deleted_at INTEGER
);
INSERT INTO "networks" VALUES(1,1,0,'libera','{"servers": [{"host": "irc.example.org", "port": 6697, "tls": true}], "enabled": true, "nick": "", "alternative_nicks": [], "ident": "", "realname": "", "tls_fingerprint": "", "bind": "", "encoding": "utf-8", "regain": "watch", "away": "", "away_text": "", "quit_message": "", "ignore": [], "unlogged": [], "flood": {"burst": 5, "every": 2.0}}',X'1243599BD35BCDB0475E9C179FABF8D70680827CCF1464B92D230A0BB7CEEB697DA7608693E8B2901C1D2357B8BFD3F9FAE2B4A8AB61CE5AB379D7A5F3F36875EAF69D45623DF99CAEC2BC20A736FA4944F715A7B3FF7EF4D520CF5B2DF9C69ED8D3D2E1C6E14B3320BFA3E2663127C243F6F321E38981BE8C4F00E521A054DF960477AD9FD4E570DC6DDFCA30E72622E52F3A89FB2789566DC74E9D55BD383C3E6A4F2DFB101FA1140D6123A8A08D0AD3E20A898782A2C7E1642CD6242BB74CA9C325EB3F',NULL);
CREATE TABLE positions (
    network INTEGER NOT NULL,
    device TEXT NOT NULL,
    seq INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (network, device)
) WITHOUT ROWID;
INSERT INTO "positions" VALUES(1,'phone',2,1790000000);
CREATE TABLE targets (
    id INTEGER PRIMARY KEY,
    network INTEGER NOT NULL,
    folded TEXT NOT NULL,
    name TEXT NOT NULL, -- as it was first spelled
    UNIQUE (network, folded)
);
INSERT INTO "targets" VALUES(1,1,'#a','#a');
CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    settings TEXT NOT NULL, -- JSON
    secrets BLOB NOT NULL, -- sealed JSON
    deleted_at INTEGER -- NULL while the user exists
);
INSERT INTO "users" VALUES(1,'alice','{"certificates": [], "admin": true, "enabled": true, "nick": "", "realname": "", "timezone": "UTC", "first_helping": 1000, "limits": {"networks": 0, "devices": 0}, "highlights": [], "ignore": []}',X'FE154BB9DBEB784C15F98F62527E723344818F05FF380C28CD9A5FD12872392255A4227931AD1FF30439B916B8FAB40E80C5173066C00E0840A8791A8B9CF3BACBD41701762CB4B1064331EF78E85A9DE3',NULL);
CREATE INDEX networks_of_user ON networks (user);
COMMIT;
PRAGMA application_id = 1651401586;
PRAGMA user_version = 2;
