-- The original's two tables, for rehearsals: columns, types and checks as its production database has them.
CREATE TYPE currency AS ENUM ('usdt', 'usdc', 'eth', 'btc');
CREATE TYPE network AS ENUM ('eth', 'btc', 'trx');

CREATE TABLE registered_users (user_id UUID PRIMARY KEY);

CREATE TABLE main_clients_database (
    id SERIAL PRIMARY KEY,
    open_channel_id VARCHAR(14) NOT NULL UNIQUE CHECK (open_channel_id ~ '^-?[0-9]{5,14}$'),
    open_channel_title VARCHAR(30),
    open_channel_description VARCHAR(140),
    closed_channel_id VARCHAR(14) NOT NULL UNIQUE CHECK (closed_channel_id ~ '^-?[0-9]{5,14}$'),
    closed_channel_title VARCHAR(30),
    closed_channel_description VARCHAR(140),
    closed_channel_donation_message VARCHAR(256) NOT NULL CHECK (length(trim(closed_channel_donation_message)) > 0),
    sub_1_price NUMERIC(10, 2) NOT NULL CHECK (sub_1_price > 0),
    sub_1_time SMALLINT NOT NULL CHECK (sub_1_time > 0),
    sub_2_price NUMERIC(10, 2) CHECK (sub_2_price > 0),
    sub_2_time SMALLINT CHECK (sub_2_time > 0),
    sub_3_price NUMERIC(10, 2) CHECK (sub_3_price > 0),
    sub_3_time SMALLINT CHECK (sub_3_time > 0),
    client_wallet_address VARCHAR(95) NOT NULL CHECK (length(client_wallet_address) > 0),
    client_payout_currency currency NOT NULL,
    client_payout_network network,
    payout_strategy VARCHAR(20) DEFAULT 'instant',
    payout_threshold_usd NUMERIC(10, 2) DEFAULT 0 CHECK (payout_threshold_usd >= 0),
    payout_threshold_updated_at TIMESTAMP,
    client_id UUID NOT NULL REFERENCES registered_users ON DELETE CASCADE,
    created_by VARCHAR(50),
    updated_at TIMESTAMP DEFAULT now(),
    notification_status BOOLEAN NOT NULL DEFAULT false,
    notification_id BIGINT,
    UNIQUE (open_channel_id, closed_channel_id)
);

CREATE TABLE broadcast_manager (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    client_id UUID NOT NULL REFERENCES registered_users ON DELETE CASCADE,
    open_channel_id TEXT NOT NULL,
    closed_channel_id TEXT NOT NULL,
    last_sent_time TIMESTAMPTZ,
    next_send_time TIMESTAMPTZ,
    broadcast_status VARCHAR(20) NOT NULL DEFAULT 'pending'
        CHECK (broadcast_status IN ('pending', 'in_progress', 'completed', 'failed', 'skipped')),
    last_manual_trigger_time TIMESTAMPTZ,
    manual_trigger_count INTEGER DEFAULT 0,
    total_broadcasts INTEGER DEFAULT 0,
    successful_broadcasts INTEGER DEFAULT 0,
    failed_broadcasts INTEGER DEFAULT 0,
    last_error_message TEXT,
    last_error_time TIMESTAMPTZ,
    consecutive_failures INTEGER DEFAULT 0,
    is_active BOOLEAN DEFAULT true,
    created_at TIMESTAMPTZ DEFAULT now(),
    updated_at TIMESTAMPTZ DEFAULT now(),
    UNIQUE (open_channel_id, closed_channel_id)
);
