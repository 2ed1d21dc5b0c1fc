-- Lines that follow each other are one document of the index: blocks of up to 16 lines of a network, which do not
-- overlap. A document has words and conversations in no order: lines are looked at whole. Made anew at the start.
DROP TABLE words;
CREATE VIRTUAL TABLE words USING fts5 (said, content = '', columnsize = 0, detail = none, tokenize = 'ascii');
INSERT INTO words (words, rank) VALUES ('automerge', 0);
INSERT INTO words (words, rank) VALUES ('crisismerge', 1000);
INSERT INTO words (words, rank) VALUES ('usermerge', 8);
UPDATE meta SET value = 0 WHERE name = 'words_form';
DELETE FROM indexed;

CREATE TABLE blocks (
    network INTEGER NOT NULL,
    first INTEGER NOT NULL, -- a line's number; with the network, the row in words
    last INTEGER NOT NULL,
    late INTEGER NOT NULL, -- 1: its lines are late, 0: none is
    before INTEGER NOT NULL, -- the latest time of all lines before it
    plain INTEGER NOT NULL, -- 1: the words of its lines stand in them as they are, but for capitals
    PRIMARY KEY (network, first)
) WITHOUT ROWID;

-- The weeks since 1970 in which there are late lines: clearly older than one that came before them.
CREATE TABLE late_weeks (
    network INTEGER NOT NULL,
    week INTEGER NOT NULL,
    PRIMARY KEY (network, week)
) WITHOUT ROWID;

-- Blocks tell the order of a conversation, but for lines that belong to several, and nicks that are asked for alone.
DROP INDEX nicks;
ALTER TABLE places RENAME TO all_places;
CREATE TABLE places (
    target INTEGER NOT NULL,
    time INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    PRIMARY KEY (target, time, seq)
) WITHOUT ROWID;
INSERT INTO places (target, time, seq, kind) SELECT target, time, seq, kind FROM all_places WHERE kind IN (6, 7, 13);
DROP TABLE all_places;
CREATE INDEX nicks ON places (target, time, seq) WHERE kind = 7;
