-- How large each revision is, beside its number: to forget the oldest, nobody reads all of them.

CREATE INDEX revisions_bytes ON revisions (number, bytes);
