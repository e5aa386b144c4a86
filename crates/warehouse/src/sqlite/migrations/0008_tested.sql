-- What tests gave that an hour tells of. Testers may tell late, so the times that it tells of stand beside it.
CREATE TABLE tested (
    network INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    tests INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    bytes BLOB NOT NULL, -- packed
    PRIMARY KEY (network, hour)
) STRICT;
