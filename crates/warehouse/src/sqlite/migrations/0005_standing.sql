-- The standing of everybody at the end of a day (counted from 1970) that has settled hours, as a document.
CREATE TABLE register (
    network INTEGER NOT NULL,
    day INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (network, day)
) STRICT, WITHOUT ROWID;

-- Windows of several hours, by their last hour and their length; each is made once.
CREATE TABLE span (
    network INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    hours INTEGER NOT NULL,
    made_ms INTEGER NOT NULL,
    digest BLOB NOT NULL,
    scorecard BLOB NOT NULL, -- packed
    context BLOB NOT NULL, -- packed
    PRIMARY KEY (network, hour, hours)
) STRICT;

-- When an hour was settled first, as long as the windows that end with it are still to be made.
ALTER TABLE agenda ADD COLUMN unrolled_ms INTEGER;
CREATE INDEX agenda_unrolled ON agenda (network, hour) WHERE unrolled_ms IS NOT NULL;
-- Of what was settled before there were windows, those that end a day.
UPDATE agenda SET unrolled_ms = looked_ms WHERE hour % 24 = 23 AND EXISTS (
    SELECT 1 FROM known_hour k
    WHERE k.network = agenda.network AND k.hour = agenda.hour AND k.latest IS NOT NULL
);
