-- One text for both databases: TEXT and BIGINT only.
CREATE TABLE placeholder (id TEXT PRIMARY KEY);
