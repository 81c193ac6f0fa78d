-- A grant says exactly what it allows, may come of no request of a person, and may be bound to a certificate.
-- Its table is made anew, with the one that refers to it: no text that both databases share takes a NOT NULL away.

CREATE TABLE access_grant_bound (
    id TEXT PRIMARY KEY,
    -- `device_code` or `client_credentials`.
    origin TEXT NOT NULL,
    -- None where nobody was asked.
    request_id TEXT UNIQUE REFERENCES authorization_request (id),
    client_id TEXT NOT NULL REFERENCES client (client_id),
    -- Who answers for it: the approver, or the owner of the instance.
    subject TEXT NOT NULL REFERENCES approver (id),
    instance_id TEXT,
    scope TEXT NOT NULL,
    resource TEXT NOT NULL,
    authorization_details TEXT NOT NULL,
    jkt TEXT,
    x5t TEXT,
    acr TEXT NOT NULL,
    amr TEXT NOT NULL,
    auth_time BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    ended_because TEXT,
    version BIGINT NOT NULL
);
INSERT INTO access_grant_bound (id, origin, request_id, client_id, subject, instance_id, scope, resource,
        authorization_details, jkt, acr, amr, auth_time, created_at, expires_at, ended_at, ended_because, version)
    SELECT id, 'device_code', request_id, client_id, subject, instance_id, scope, resource,
        '[]', jkt, acr, amr, auth_time, created_at, expires_at, ended_at, ended_because, version FROM access_grant;

CREATE TABLE refresh_token_bound (
    digest TEXT PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES access_grant_bound (id),
    state TEXT NOT NULL CONSTRAINT refresh_token_state CHECK (state IN ('unused', 'used', 'voided')),
    successor TEXT,
    used_at BIGINT,
    expires_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);
INSERT INTO refresh_token_bound (digest, grant_id, state, successor, used_at, expires_at, version)
    SELECT digest, grant_id, state, successor, used_at, expires_at, version FROM refresh_token;

DROP TABLE refresh_token;
DROP TABLE access_grant;
ALTER TABLE access_grant_bound RENAME TO access_grant;
ALTER TABLE refresh_token_bound RENAME TO refresh_token;
CREATE INDEX access_grant_subject ON access_grant (subject);
CREATE INDEX access_grant_client ON access_grant (client_id);
CREATE INDEX access_grant_instance ON access_grant (instance_id);
CREATE INDEX refresh_token_grant ON refresh_token (grant_id);
