-- Each change of the configuration, and by which one a machine was told what. Secrets lie in it as in the records: sealed.

CREATE TABLE revisions (
    number BIGINT PRIMARY KEY NOT NULL,
    at BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    what TEXT NOT NULL,
    records TEXT NOT NULL,
    turns TEXT NOT NULL,
    bytes BIGINT NOT NULL
);

ALTER TABLE events ADD COLUMN revision BIGINT;
