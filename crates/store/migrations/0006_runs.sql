-- How often a command may still be run under its grant; none where it is run once.

ALTER TABLE access_grant ADD COLUMN runs_left BIGINT;
