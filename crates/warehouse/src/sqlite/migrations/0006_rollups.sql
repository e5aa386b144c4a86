-- The counts of each hour for people to look at. `stamp` stands for all parts of the hour: where it is the same, they are.
CREATE TABLE rollup (
    network INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    PRIMARY KEY (network, hour)
) STRICT, WITHOUT ROWID;

-- `part` is 1 for the hour as one, 2 for its minutes, 3 for what was offered in it.
CREATE TABLE rollup_part (
    network INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    part INTEGER NOT NULL,
    bytes BLOB NOT NULL, -- packed
    PRIMARY KEY (network, hour, part)
) STRICT;

-- Who ever offered work.
CREATE TABLE offerer (
    network INTEGER NOT NULL,
    operator BLOB NOT NULL,
    first_hour INTEGER NOT NULL,
    last_hour INTEGER NOT NULL,
    PRIMARY KEY (network, operator)
) STRICT, WITHOUT ROWID;

-- Hours that were settled before there were such counts are looked at again, which makes them.
UPDATE agenda SET touched = 1, at_once = 1 WHERE EXISTS (
    SELECT 1 FROM known_hour k
    WHERE k.network = agenda.network AND k.hour = agenda.hour AND k.latest IS NOT NULL
);
