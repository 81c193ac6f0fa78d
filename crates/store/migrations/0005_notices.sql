-- What an inbox has got and whoever it waits for has still to be told of; `inbox` as in authorization_request.
CREATE TABLE notice (
    request_id TEXT NOT NULL,
    inbox TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    PRIMARY KEY (request_id, inbox)
);
CREATE INDEX notice_due ON notice (due_at);

-- One channel and one inbox: how often a notice was asked for, and up to which of them it was told.
CREATE TABLE notice_delivery (
    channel TEXT NOT NULL,
    inbox TEXT NOT NULL,
    asked BIGINT NOT NULL,
    told BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (channel, inbox)
);

-- How often each inbox was told, by the hour.
CREATE TABLE notice_counter (
    inbox TEXT NOT NULL,
    window_start BIGINT NOT NULL,
    notices BIGINT NOT NULL,
    PRIMARY KEY (inbox, window_start)
);

-- Of one inbox, or of all. What is sealed: its address and its secret.
CREATE TABLE webhook (
    id TEXT PRIMARY KEY,
    inbox TEXT,
    host TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    off_at BIGINT
);

CREATE TABLE mail_address (
    approver_id TEXT PRIMARY KEY REFERENCES approver (id),
    address TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    off_at BIGINT
);

-- The id is a digest of the address that the browser's push service gave out. What is sealed: that and its keys.
CREATE TABLE push_subscription (
    id TEXT PRIMARY KEY,
    approver_id TEXT NOT NULL REFERENCES approver (id),
    host TEXT NOT NULL,
    browser TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX push_subscription_approver ON push_subscription (approver_id);
