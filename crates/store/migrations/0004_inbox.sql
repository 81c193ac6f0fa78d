-- Requests that go to an inbox: `approver ID`, `group NAME`, or `nobody`; none where a user code leads to them.

ALTER TABLE authorization_request ADD COLUMN inbox TEXT;
-- Where else it stands from a certain time on.
ALTER TABLE authorization_request ADD COLUMN second_inbox TEXT;
ALTER TABLE authorization_request ADD COLUMN second_inbox_from BIGINT;
CREATE INDEX authorization_request_inbox ON authorization_request (inbox, expires_at);
CREATE INDEX authorization_request_second_inbox ON authorization_request (second_inbox, expires_at);
