-- Which hours are still to be looked at, and when each last was: settling must not forget one when it is stopped.
CREATE TABLE agenda (
    network INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    touched INTEGER NOT NULL,
    looked_ms INTEGER,
    PRIMARY KEY (network, hour)
) WITHOUT ROWID;

CREATE INDEX agenda_touched ON agenda (network, hour) WHERE touched = 1;
