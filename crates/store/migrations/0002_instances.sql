-- Known instances, the profiles and groups that govern them, and what mitigations have to remember.

CREATE TABLE instance (
    id TEXT PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES client (client_id),
    owner TEXT NOT NULL REFERENCES approver (id),
    -- Name, environment, how it came in, facts about its device.
    content TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    last_seen_at BIGINT,
    suspended_at BIGINT,
    -- A removed instance keeps its row and its keys, so that neither ever comes back as another.
    removed_at BIGINT,
    version BIGINT NOT NULL
);
CREATE INDEX instance_owner ON instance (owner);
CREATE INDEX instance_client ON instance (client_id);

-- One key belongs to one instance for ever: it can be enrolled for no second client.
CREATE TABLE instance_key (
    thumbprint TEXT PRIMARY KEY,
    instance_id TEXT NOT NULL REFERENCES instance (id),
    public_key TEXT NOT NULL,
    added_at BIGINT NOT NULL,
    -- Set when another key has taken its place: until then both serve.
    retires_at BIGINT
);
CREATE INDEX instance_key_instance ON instance_key (instance_id);

-- An owner offers an instance to somebody else, who takes it or does not.
CREATE TABLE handover (
    instance_id TEXT PRIMARY KEY REFERENCES instance (id),
    to_approver TEXT NOT NULL REFERENCES approver (id),
    -- Where the owner was who offered it, if that is known.
    from_address TEXT,
    offered_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX handover_to ON handover (to_approver);

-- Whose word lets an instance in without a person: an attester, an issuer of workload tokens, a trust domain.
CREATE TABLE admission (
    id TEXT PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES client (client_id),
    content TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    removed_at BIGINT
);
CREATE INDEX admission_client ON admission (client_id);

CREATE TABLE group_member (
    group_name TEXT NOT NULL,
    approver_id TEXT NOT NULL REFERENCES approver (id),
    added_at BIGINT NOT NULL,
    PRIMARY KEY (group_name, approver_id)
);
CREATE INDEX group_member_approver ON group_member (approver_id);

-- Who an upstream OpenID provider says somebody is. It identifies; it never decides.
CREATE TABLE upstream_identity (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    approver_id TEXT NOT NULL REFERENCES approver (id),
    -- The groups of the last sign-in, as JSON.
    groups TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX upstream_identity_approver ON upstream_identity (approver_id);

-- A quorum is several approvals of one request, each by another person.
CREATE TABLE approval_of_many (
    request_id TEXT NOT NULL REFERENCES authorization_request (id),
    approver_id TEXT NOT NULL REFERENCES approver (id),
    decision TEXT NOT NULL,
    evidence TEXT NOT NULL,
    acr TEXT NOT NULL,
    amr TEXT NOT NULL,
    approved_at BIGINT NOT NULL,
    PRIMARY KEY (request_id, approver_id)
);
INSERT INTO approval_of_many (request_id, approver_id, decision, evidence, acr, amr, approved_at)
    SELECT request_id, approver_id, decision, evidence, acr, amr, approved_at FROM approval;
DROP TABLE approval;
ALTER TABLE approval_of_many RENAME TO approval;

ALTER TABLE authorization_request ADD COLUMN instance_id TEXT;
CREATE INDEX authorization_request_instance ON authorization_request (instance_id, expires_at);
ALTER TABLE access_grant ADD COLUMN instance_id TEXT;
CREATE INDEX access_grant_instance ON access_grant (instance_id);

-- Who presented a code that another had opened: a code sent to many shows here (RFC 10027 §6.1.4).
CREATE TABLE code_presentation (
    request_id TEXT NOT NULL REFERENCES authorization_request (id) ON DELETE CASCADE,
    approver_id TEXT NOT NULL REFERENCES approver (id),
    presented_at BIGINT NOT NULL,
    PRIMARY KEY (request_id, approver_id)
);

-- How often each approver was asked, by the hour (RFC 10027 §6.1.11).
CREATE TABLE prompt_counter (
    approver_id TEXT NOT NULL REFERENCES approver (id),
    window_start BIGINT NOT NULL,
    prompts BIGINT NOT NULL,
    PRIMARY KEY (approver_id, window_start)
);
CREATE INDEX prompt_counter_window ON prompt_counter (window_start);

-- What was part of a grant before: `client:` and its id, `instance:`, `owner:`, `operator:`, `pair:`.
CREATE TABLE first_seen (
    subject TEXT PRIMARY KEY,
    seen_at BIGINT NOT NULL
);

-- How the person came to be signed in: only `passkey` is more than a look.
ALTER TABLE browser_session ADD COLUMN method TEXT NOT NULL DEFAULT 'passkey'
    CONSTRAINT browser_session_method CHECK (method IN ('passkey', 'invited', 'upstream'));
