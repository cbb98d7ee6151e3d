-- Events that receivers have not taken yet. Written together with the sweep that they tell of.

-- What tells this ledger from every other one, in one row.
CREATE TABLE ledger (
    id TEXT NOT NULL PRIMARY KEY
);

-- Positions are in the order of sending, and are never used again.
CREATE TABLE events (
    position BIGINT NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    fingerprint TEXT,
    made_at BIGINT NOT NULL,
    body TEXT NOT NULL
);

-- Which receivers have yet to take an event; one that nobody awaits is deleted.
CREATE TABLE deliveries (
    receiver TEXT NOT NULL,
    position BIGINT NOT NULL REFERENCES events (position) ON DELETE CASCADE,
    PRIMARY KEY (receiver, position)
);

CREATE INDEX deliveries_of_event ON deliveries (position);

-- Open findings of which a receiver has an event: it hears of their end too, whatever their severity is then.
CREATE TABLE told (
    receiver TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    PRIMARY KEY (receiver, fingerprint)
);

-- How many events a receiver has lost for good.
CREATE TABLE losses (
    receiver TEXT NOT NULL PRIMARY KEY,
    events BIGINT NOT NULL
);
