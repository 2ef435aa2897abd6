-- The way back: loads what `broadcastctl export --to FOLDER` wrote, in one transaction. Run it with psql inside FOLDER:
--   psql URL -v ON_ERROR_STOP=1 -f go_back.sql
BEGIN;

CREATE TEMPORARY TABLE texts (
    open_channel_id TEXT, closed_channel_id TEXT, client_id UUID,
    open_channel_title TEXT, open_channel_description TEXT, closed_channel_title TEXT, closed_channel_description TEXT,
    closed_channel_donation_message TEXT, sub_1_price NUMERIC, sub_1_time SMALLINT, sub_2_price NUMERIC, sub_2_time SMALLINT,
    sub_3_price NUMERIC, sub_3_time SMALLINT, notification_status BOOLEAN, notification_id BIGINT
) ON COMMIT DROP;
\copy texts FROM 'main_clients_database.csv' WITH (FORMAT csv, HEADER match)

-- An empty description stays what it was, NULL or empty: the two mean the same.
UPDATE main_clients_database AS pair SET
    open_channel_title = texts.open_channel_title,
    open_channel_description = coalesce(nullif(texts.open_channel_description, ''), left(pair.open_channel_description, 0)),
    closed_channel_title = texts.closed_channel_title, closed_channel_description = coalesce(nullif(texts.closed_channel_description, ''), left(pair.closed_channel_description, 0)),
    closed_channel_donation_message = texts.closed_channel_donation_message,
    sub_1_price = texts.sub_1_price, sub_1_time = texts.sub_1_time, sub_2_price = texts.sub_2_price,
    sub_2_time = texts.sub_2_time, sub_3_price = texts.sub_3_price, sub_3_time = texts.sub_3_time,
    notification_status = texts.notification_status, notification_id = texts.notification_id
FROM texts
WHERE pair.open_channel_id = texts.open_channel_id AND pair.closed_channel_id = texts.closed_channel_id;

CREATE TEMPORARY TABLE states (LIKE broadcast_manager) ON COMMIT DROP;
\copy states FROM 'broadcast_manager.csv' WITH (FORMAT csv, HEADER match)

DELETE FROM broadcast_manager
WHERE (open_channel_id, closed_channel_id) IN (SELECT open_channel_id, closed_channel_id FROM states);
INSERT INTO broadcast_manager SELECT * FROM states;

COMMIT;
