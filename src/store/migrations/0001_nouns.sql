-- One schema for SQLite and PostgreSQL: TEXT and BIGINT only, moments in microseconds, lists and variables as JSON text.

CREATE TABLE settings (
    name TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);

CREATE TABLE activation_keys (
    name TEXT PRIMARY KEY NOT NULL,
    description TEXT NOT NULL,
    member_of TEXT NOT NULL,
    usage_limit BIGINT,
    used BIGINT NOT NULL,
    expires_at BIGINT,
    enabled BIGINT NOT NULL
);

CREATE TABLE distros (
    name TEXT PRIMARY KEY NOT NULL,
    family TEXT NOT NULL,
    kernel TEXT NOT NULL,
    initrd TEXT NOT NULL,
    arguments TEXT NOT NULL,
    variables TEXT NOT NULL
);

CREATE TABLE profiles (
    name TEXT PRIMARY KEY NOT NULL,
    parent TEXT REFERENCES profiles (name),
    distro TEXT REFERENCES distros (name),
    template TEXT,
    arguments TEXT NOT NULL,
    activation_key TEXT REFERENCES activation_keys (name),
    variables TEXT NOT NULL
);

CREATE TABLE networks (
    name TEXT PRIMARY KEY NOT NULL,
    cidr TEXT NOT NULL,
    gateway TEXT,
    dns TEXT NOT NULL,
    domain TEXT,
    pools TEXT NOT NULL,
    lease_secs BIGINT NOT NULL,
    profile TEXT REFERENCES profiles (name),
    unknown_gets TEXT NOT NULL
);

CREATE TABLE ranges (
    name TEXT PRIMARY KEY NOT NULL,
    network TEXT NOT NULL REFERENCES networks (name),
    span TEXT NOT NULL,
    profile TEXT NOT NULL REFERENCES profiles (name)
);

CREATE TABLE machines (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE,
    profile TEXT REFERENCES profiles (name),
    activation_key TEXT REFERENCES activation_keys (name),
    arguments TEXT NOT NULL,
    variables TEXT NOT NULL,
    state TEXT NOT NULL,
    state_at BIGINT NOT NULL,
    install TEXT,
    inventory TEXT,
    credential TEXT,
    created_at BIGINT NOT NULL,
    revision BIGINT NOT NULL
);

-- A MAC and an address belong to one machine: what settles a race between two nodes.
CREATE TABLE interfaces (
    mac TEXT PRIMARY KEY NOT NULL,
    machine TEXT NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    place BIGINT NOT NULL,
    ip TEXT UNIQUE
);
CREATE INDEX interfaces_machine ON interfaces (machine);

CREATE TABLE leases (
    network TEXT NOT NULL REFERENCES networks (name) ON DELETE CASCADE,
    mac TEXT NOT NULL,
    ip TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    hostname TEXT,
    PRIMARY KEY (network, mac),
    UNIQUE (network, ip)
);
CREATE INDEX leases_mac ON leases (mac);

CREATE TABLE sightings (
    mac TEXT PRIMARY KEY NOT NULL,
    network TEXT NOT NULL,
    arch BIGINT,
    vendor TEXT NOT NULL,
    uuid TEXT,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL
);

CREATE TABLE tombstones (
    mac TEXT PRIMARY KEY NOT NULL,
    machine TEXT NOT NULL,
    replaced_by TEXT NOT NULL,
    at BIGINT NOT NULL
);

CREATE TABLE install_keys (
    hash TEXT PRIMARY KEY NOT NULL,
    activation_key TEXT NOT NULL,
    machine TEXT NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    install TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    spent_at BIGINT
);
CREATE INDEX install_keys_machine ON install_keys (machine);

CREATE TABLE tokens (
    name TEXT PRIMARY KEY NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    at BIGINT NOT NULL
);

CREATE TABLE events (
    id TEXT PRIMARY KEY NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    machine TEXT,
    mac TEXT,
    ip TEXT,
    text TEXT NOT NULL,
    percent BIGINT
);
CREATE INDEX events_machine ON events (machine, id);
CREATE INDEX events_mac ON events (mac, id);
