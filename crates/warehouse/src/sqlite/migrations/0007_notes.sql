-- The last refusals of each publisher one by one, beside their counts, without anything of what was said.
CREATE TABLE refusal_note (
    network INTEGER NOT NULL,
    key BLOB NOT NULL,
    source INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    place INTEGER NOT NULL, -- in the batch; -1 where all of it was refused
    defect TEXT NOT NULL,
    hour INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    event TEXT,
    detail TEXT NOT NULL,
    PRIMARY KEY (network, key, source, epoch, seq, place, defect)
) STRICT, WITHOUT ROWID;
CREATE INDEX refusal_note_by_time ON refusal_note (network, key, at_ms);
CREATE INDEX refusal_note_by_hour ON refusal_note (network, source, hour);
CREATE INDEX refusal_note_by_age ON refusal_note (at_ms);
