-- One text for SQLite and PostgreSQL: TEXT and BIGINT only, times in unix milliseconds, digests and keys
-- as base64url text, structured values as JSON text. Every CHECK is named. No reserved words.

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    content TEXT NOT NULL
);

CREATE TABLE signing_key (
    kid TEXT PRIMARY KEY,
    alg TEXT NOT NULL,
    state TEXT NOT NULL CONSTRAINT signing_key_state CHECK (state IN ('next', 'active', 'retiring')),
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    retires_at BIGINT
);
CREATE UNIQUE INDEX signing_key_one ON signing_key (alg, state) WHERE state IN ('next', 'active');

CREATE TABLE client (
    client_id TEXT PRIMARY KEY,
    registration TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT,
    -- A deleted client keeps its row, so that its identifier is never given to another.
    deleted_at BIGINT,
    version BIGINT NOT NULL
);

CREATE TABLE approver (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT,
    version BIGINT NOT NULL
);

CREATE TABLE enrollment (
    token_digest TEXT PRIMARY KEY,
    approver_id TEXT NOT NULL REFERENCES approver (id),
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX enrollment_expires ON enrollment (expires_at);

CREATE TABLE passkey (
    credential_id TEXT PRIMARY KEY,
    approver_id TEXT NOT NULL REFERENCES approver (id),
    label TEXT NOT NULL,
    public_key TEXT NOT NULL,
    -- The registration as the WebAuthn library keeps it, for signing in.
    credential TEXT NOT NULL,
    sign_count BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX passkey_approver ON passkey (approver_id);

CREATE TABLE software_key (
    thumbprint TEXT PRIMARY KEY,
    approver_id TEXT NOT NULL REFERENCES approver (id),
    public_key TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX software_key_approver ON software_key (approver_id);

CREATE TABLE ceremony (
    id TEXT PRIMARY KEY,
    content TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX ceremony_expires ON ceremony (expires_at);

CREATE TABLE browser_session (
    id TEXT PRIMARY KEY,
    token_digest TEXT NOT NULL UNIQUE,
    approver_id TEXT NOT NULL REFERENCES approver (id),
    user_agent TEXT NOT NULL,
    address TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX browser_session_approver ON browser_session (approver_id);
CREATE INDEX browser_session_expires ON browser_session (expires_at);

CREATE TABLE authorization_request (
    id TEXT PRIMARY KEY,
    device_code_digest TEXT NOT NULL UNIQUE,
    user_code_mac TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    client_id TEXT NOT NULL REFERENCES client (client_id),
    content TEXT NOT NULL,
    digest TEXT NOT NULL,
    state TEXT NOT NULL CONSTRAINT authorization_request_state
        CHECK (state IN ('pending', 'viewed', 'approved', 'denied', 'redeemed', 'cancelled')),
    state_detail TEXT NOT NULL,
    interval_millis BIGINT NOT NULL,
    version BIGINT NOT NULL,
    requested_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX authorization_request_expires ON authorization_request (expires_at);
CREATE INDEX authorization_request_client ON authorization_request (client_id, expires_at);
CREATE INDEX authorization_request_source ON authorization_request (source, expires_at);

CREATE TABLE approval (
    request_id TEXT PRIMARY KEY REFERENCES authorization_request (id),
    approver_id TEXT NOT NULL REFERENCES approver (id),
    decision TEXT NOT NULL,
    evidence TEXT NOT NULL,
    acr TEXT NOT NULL,
    amr TEXT NOT NULL,
    approved_at BIGINT NOT NULL
);

CREATE TABLE access_grant (
    id TEXT PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE REFERENCES authorization_request (id),
    client_id TEXT NOT NULL REFERENCES client (client_id),
    subject TEXT NOT NULL REFERENCES approver (id),
    scope TEXT NOT NULL,
    resource TEXT NOT NULL,
    jkt TEXT,
    acr TEXT NOT NULL,
    amr TEXT NOT NULL,
    auth_time BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    ended_because TEXT,
    version BIGINT NOT NULL
);
CREATE INDEX access_grant_subject ON access_grant (subject);
CREATE INDEX access_grant_client ON access_grant (client_id);

CREATE TABLE refresh_token (
    digest TEXT PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES access_grant (id),
    state TEXT NOT NULL CONSTRAINT refresh_token_state CHECK (state IN ('unused', 'used', 'voided')),
    successor TEXT,
    used_at BIGINT,
    expires_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE INDEX refresh_token_grant ON refresh_token (grant_id);

-- Access tokens are checked by signature and grant; only one that was revoked by itself needs a row.
CREATE TABLE revoked_token (
    jti TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_token_expires ON revoked_token (expires_at);

-- One-time values that took effect: DPoP proofs and client assertions, by digest.
CREATE TABLE replay (
    digest TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX replay_expires ON replay (expires_at);

CREATE TABLE guess_counter (
    subject TEXT NOT NULL,
    window_start BIGINT NOT NULL,
    guesses BIGINT NOT NULL,
    PRIMARY KEY (subject, window_start)
);
CREATE INDEX guess_counter_window ON guess_counter (window_start);

CREATE TABLE event (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL CONSTRAINT event_outcome CHECK (outcome IN ('success', 'failure')),
    request_id TEXT,
    grant_id TEXT,
    client_id TEXT,
    approver_id TEXT,
    detail TEXT NOT NULL
);
