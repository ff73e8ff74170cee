-- Texts of templates as operators wrote them, by file or by the API. A row without text says that it was taken away.

CREATE TABLE template_versions (
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    text TEXT,
    at BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    whence TEXT NOT NULL,
    PRIMARY KEY (name, version)
);

CREATE INDEX template_versions_whence ON template_versions (name, whence, version);
