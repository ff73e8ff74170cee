-- When each system last checked in, written by and by: what is newer is in memory.

CREATE TABLE check_ins (
    machine TEXT PRIMARY KEY NOT NULL REFERENCES machines (id) ON DELETE CASCADE,
    at BIGINT NOT NULL,
    booted_at BIGINT NOT NULL,
    ip TEXT NOT NULL
);
