-- What a later version of the original added to broadcast_manager.
ALTER TABLE broadcast_manager
    ADD COLUMN last_open_message_id BIGINT,
    ADD COLUMN last_closed_message_id BIGINT,
    ADD COLUMN last_open_message_sent_at TIMESTAMP,
    ADD COLUMN last_closed_message_sent_at TIMESTAMP;
