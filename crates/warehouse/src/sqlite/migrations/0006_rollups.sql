-- The counts of each hour for people to look at. `stamp` stands for all parts of the hour: where it is the same, they are.
CREATE TABLE rollup (
    network INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    PRIMARY KEY (network, hour)
) STRICT, WITHOUT ROWID;

-- The same by the day, made of hours; `stamp` stands for those, and is null while the day is to be made of them.
CREATE TABLE rollup_day (
    network INTEGER NOT NULL,
    day INTEGER NOT NULL,
    stamp INTEGER,
    PRIMARY KEY (network, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX rollup_day_due ON rollup_day (network, day) WHERE stamp IS NULL;

-- `grain` is 1 for minutes, 2 for an hour, 3 for a day, and `at` which hour or day. `part` is `sums` for the rows and
-- their sums, and a measure for how that is spread, so that a question reads no more than it asks for.
CREATE TABLE rollup_part (
    network INTEGER NOT NULL,
    grain INTEGER NOT NULL,
    at INTEGER NOT NULL,
    part TEXT NOT NULL,
    bytes BLOB NOT NULL, -- packed
    PRIMARY KEY (network, grain, at, part)
) STRICT;

-- What was offered in each hour.
CREATE TABLE offered (
    network INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    bytes BLOB NOT NULL, -- packed
    PRIMARY KEY (network, hour)
) STRICT;

-- Every region that anything was ever told in.
CREATE TABLE region (
    network INTEGER NOT NULL,
    region TEXT NOT NULL,
    PRIMARY KEY (network, region)
) STRICT, WITHOUT ROWID;

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
