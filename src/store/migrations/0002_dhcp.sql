-- DHCP as a whole: who holds a lease may be a client identifier, networks say how they are served, records carry options.

ALTER TABLE leases RENAME COLUMN mac TO holder;
-- Who forgets a card asks network by network: an index fewer for each lease that is written.
DROP INDEX leases_mac;

ALTER TABLE networks ADD COLUMN dhcp TEXT NOT NULL DEFAULT '{}';
ALTER TABLE ranges ADD COLUMN options TEXT NOT NULL DEFAULT '{}';
ALTER TABLE profiles ADD COLUMN options TEXT NOT NULL DEFAULT '{}';
ALTER TABLE machines ADD COLUMN options TEXT NOT NULL DEFAULT '{}';

CREATE TABLE classes (
    name TEXT PRIMARY KEY NOT NULL,
    network TEXT REFERENCES networks (name),
    matches TEXT NOT NULL,
    options TEXT NOT NULL
);

CREATE TABLE reservations (
    ip TEXT PRIMARY KEY NOT NULL,
    network TEXT NOT NULL REFERENCES networks (name),
    mark TEXT NOT NULL,
    description TEXT NOT NULL,
    UNIQUE (network, mark)
);

-- Addresses that are given to nobody (else) until a moment.
CREATE TABLE holds (
    network TEXT NOT NULL REFERENCES networks (name) ON DELETE CASCADE,
    ip TEXT NOT NULL,
    until BIGINT NOT NULL,
    why TEXT NOT NULL,
    holder TEXT,
    times BIGINT NOT NULL,
    PRIMARY KEY (network, ip)
);
