-- JSON of what of a channel is not as it is of most.
ALTER TABLE channels ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
