-- Networks are 1 (livepeer) and 2 (simulation). Moments are Unix milliseconds, hours are counted from 1970.
-- A party is 20 address bytes after 1 (operator) or 2 (signer), or 3 alone (nameless).
-- Packed columns hold JSON; `pack.rs` says how.

CREATE TABLE batch (
    ordinal INTEGER PRIMARY KEY,
    network INTEGER NOT NULL,
    key BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    sealed_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    count INTEGER NOT NULL,
    has_records INTEGER NOT NULL,
    has_mappings INTEGER NOT NULL
) STRICT;
CREATE INDEX batch_by_seal ON batch (network, sealed_ms, ordinal);
CREATE INDEX batch_by_position ON batch (network, key, epoch, seq);
CREATE INDEX batch_with_records ON batch (network, sealed_ms, ordinal) WHERE has_records = 1;
CREATE INDEX batch_with_mappings ON batch (network, sealed_ms, ordinal) WHERE has_mappings = 1;

CREATE TABLE cursor (
    name TEXT PRIMARY KEY,
    ordinal INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE document (
    digest BLOB PRIMARY KEY,
    bytes BLOB NOT NULL -- packed
) STRICT;

-- Every hour that something is known of. `latest` is its latest revision, absent while it is provisional.
CREATE TABLE known_hour (
    network INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    latest INTEGER,
    jobs INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    provisional BLOB, -- packed scorecard
    PRIMARY KEY (network, hour)
) STRICT;

CREATE TABLE revision (
    network INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    settled_ms INTEGER NOT NULL,
    digest BLOB NOT NULL,
    tally_digest BLOB NOT NULL,
    event_count INTEGER NOT NULL,
    event_root BLOB NOT NULL,
    event_rule TEXT NOT NULL,
    scorecard BLOB NOT NULL, -- packed
    tally BLOB NOT NULL, -- packed
    open BLOB NOT NULL, -- packed
    open_before BLOB NOT NULL, -- packed
    refused BLOB NOT NULL, -- packed
    used BLOB NOT NULL, -- packed
    PRIMARY KEY (network, hour, revision)
) STRICT;

-- The results of each hour's latest revision, or provisional ones. `class` is empty over all of a party's work.
CREATE TABLE score (
    network INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    party BLOB NOT NULL,
    class TEXT NOT NULL,
    workload TEXT,
    pipeline TEXT,
    model TEXT,
    grade TEXT NOT NULL,
    is_settled INTEGER NOT NULL,
    scored TEXT NOT NULL, -- JSON
    PRIMARY KEY (network, hour, party, class)
) STRICT, WITHOUT ROWID;
CREATE INDEX score_overall ON score (network, party, hour) WHERE class = '' AND is_settled = 1;

-- The kinds of work, by number. A name that is not known is the empty text, which no name can be.
CREATE TABLE class (
    id INTEGER PRIMARY KEY,
    workload TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    model TEXT NOT NULL,
    UNIQUE (workload, pipeline, model)
) STRICT;

-- The jobs of each hour's latest revision, or provisional ones.
CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    network INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    job_id BLOB NOT NULL,
    first_ms INTEGER NOT NULL,
    class INTEGER NOT NULL,
    state TEXT NOT NULL,
    fact BLOB NOT NULL -- packed
) STRICT;
CREATE UNIQUE INDEX job_by_hour ON job (network, hour, job_id);
CREATE INDEX job_by_id ON job (network, job_id, hour);
CREATE INDEX job_by_time ON job (network, first_ms, job_id, hour, class, state);
CREATE INDEX job_by_class ON job (network, class, first_ms, job_id, hour, state);

-- Who has to do with a job: `side` is 1 for operators of its tenures, 2 for reporters. Class and state are the job's.
CREATE TABLE job_party (
    network INTEGER NOT NULL,
    side INTEGER NOT NULL,
    address BLOB NOT NULL,
    first_ms INTEGER NOT NULL,
    job_id BLOB NOT NULL,
    job INTEGER NOT NULL,
    class INTEGER NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (network, side, address, first_ms, job_id, job)
) STRICT, WITHOUT ROWID;

-- Who had tenures in the jobs on hand. `facts` counts those jobs in an hour, `jobs` those in which a tenure began in it.
CREATE TABLE orchestrator (
    network INTEGER NOT NULL,
    party BLOB NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    PRIMARY KEY (network, party)
) STRICT, WITHOUT ROWID;

CREATE TABLE orchestrator_hour (
    network INTEGER NOT NULL,
    party BLOB NOT NULL,
    hour INTEGER NOT NULL,
    facts INTEGER NOT NULL,
    jobs INTEGER NOT NULL,
    PRIMARY KEY (network, party, hour)
) STRICT, WITHOUT ROWID;

CREATE TABLE orchestrator_class (
    network INTEGER NOT NULL,
    party BLOB NOT NULL,
    class INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    PRIMARY KEY (network, party, class)
) STRICT, WITHOUT ROWID;

CREATE TABLE orchestrator_url (
    network INTEGER NOT NULL,
    party BLOB NOT NULL,
    url TEXT NOT NULL,
    last_ms INTEGER NOT NULL,
    PRIMARY KEY (network, party, url)
) STRICT, WITHOUT ROWID;

CREATE TABLE publisher (
    network INTEGER NOT NULL,
    key BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    address BLOB,
    node TEXT,
    role TEXT,
    collected INTEGER NOT NULL,
    batches INTEGER NOT NULL,
    events INTEGER NOT NULL,
    head_seq INTEGER,
    head_hash BLOB,
    sealed_ms INTEGER,
    last_received_ms INTEGER NOT NULL,
    gaps TEXT NOT NULL, -- JSON
    PRIMARY KEY (network, key, epoch)
) STRICT, WITHOUT ROWID;

-- `key` is empty where nobody is known; `source` is 1 for intake, 2 for settling.
CREATE TABLE refusal (
    network INTEGER NOT NULL,
    key BLOB NOT NULL,
    source INTEGER NOT NULL,
    defect TEXT NOT NULL,
    hour INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (network, key, source, defect, hour)
) STRICT, WITHOUT ROWID;
CREATE INDEX refusal_by_hour ON refusal (network, source, hour);
