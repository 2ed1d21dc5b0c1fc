-- The index over lines. It is filled after the lines, in batches: what is above a network's mark is not in it yet.

-- All lines of the network up to seq are indexed; newest is the latest time among them.
CREATE TABLE indexed (
    network INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    newest INTEGER NOT NULL
);

-- The order of each conversation. Rows of lines that belong to several (a QUIT) come with the line; all others later.
CREATE TABLE places (
    target INTEGER NOT NULL,
    time INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    PRIMARY KEY (target, time, seq)
) WITHOUT ROWID;

ALTER TABLE targets ADD COLUMN latest INTEGER; -- the time of its latest indexed line of text, NULL if it has none

-- What bouncer/store/index_words.py makes of lines; rowid is network << 40 | seq. Merges are asked for, in portions.
CREATE VIRTUAL TABLE words USING fts5 (said, content = '', columnsize = 0, tokenize = 'ascii');
INSERT INTO words (words, rank) VALUES ('automerge', 0);
INSERT INTO words (words, rank) VALUES ('crisismerge', 1000);
INSERT INTO words (words, rank) VALUES ('usermerge', 8); -- of 4 costs twice as much, of 16 makes finding slower
INSERT INTO meta (name, value) VALUES ('words_form', 0); -- how words were derived; 0: none are in it

-- All lines up to seq are of that time or earlier; of later ones, only those marked as late are earlier.
CREATE TABLE milestones (
    network INTEGER NOT NULL,
    time INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (network, time)
) WITHOUT ROWID;

-- Up to when the user has read each conversation.
CREATE TABLE markers (
    network INTEGER NOT NULL,
    folded TEXT NOT NULL,
    name TEXT NOT NULL, -- as last put
    time INTEGER NOT NULL,
    PRIMARY KEY (network, folded)
) WITHOUT ROWID;
