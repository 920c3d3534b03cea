-- What waits (released_at is NULL) is found without reading what was released long ago. Its first column rises with time,
-- but only at a release, and of those there are few a second.
CREATE INDEX IF NOT EXISTS parked_open ON parked (released_at, tenant_id, due) STORING (stage, reason, parked_at);
