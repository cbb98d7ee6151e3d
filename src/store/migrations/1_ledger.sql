-- Times are seconds since 1970. Only what SQLite and PostgreSQL both understand.

CREATE TABLE sweeps (
    number BIGINT NOT NULL PRIMARY KEY,
    taken_at TEXT NOT NULL,
    finished_at BIGINT NOT NULL,
    gaps BIGINT NOT NULL,
    fail BIGINT NOT NULL,
    unknown BIGINT NOT NULL,
    waived BIGINT NOT NULL,
    pass BIGINT NOT NULL,
    not_applicable BIGINT NOT NULL
);

-- A finding is in one state, for it has one row.
CREATE TABLE findings (
    fingerprint TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('pending', 'open', 'resolved')),
    policy TEXT NOT NULL,
    policy_digest TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    workspace_id TEXT,
    finding_key TEXT NOT NULL,
    severity TEXT NOT NULL,
    message TEXT NOT NULL,
    remediation TEXT NOT NULL,
    resource_id TEXT,
    evidence TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    confirmed_at BIGINT NOT NULL,
    stale_since BIGINT,
    reopened BIGINT NOT NULL,
    streak BIGINT NOT NULL,
    resolved_at BIGINT,
    resolution TEXT,
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL)),
    CHECK ((state = 'resolved') = (resolution IS NOT NULL))
);

-- Each sweep moves a finding once at most.
CREATE TABLE changes (
    sweep BIGINT NOT NULL REFERENCES sweeps (number) ON DELETE CASCADE,
    fingerprint TEXT NOT NULL,
    change TEXT NOT NULL CHECK (change IN ('opened', 'reopened', 'changed', 'resolved')),
    severity TEXT NOT NULL,
    evidence TEXT NOT NULL,
    resolution TEXT,
    PRIMARY KEY (sweep, fingerprint)
);

CREATE INDEX changes_of_finding ON changes (fingerprint, sweep);

CREATE TABLE unknowns (
    policy TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    hidden BIGINT NOT NULL,
    workspace_id TEXT,
    code TEXT NOT NULL,
    since BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    PRIMARY KEY (policy, subject_kind, subject_id, hidden)
);

-- The subscriptions that the last sweep saw.
CREATE TABLE subscriptions (
    guid TEXT NOT NULL PRIMARY KEY
);

-- What an outlet must know of what it told, in its own form.
CREATE TABLE outlets (
    name TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL
);
