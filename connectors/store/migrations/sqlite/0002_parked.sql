-- What waits is found without reading what was released long ago.
CREATE INDEX IF NOT EXISTS parked_open ON parked (tenant_id, due) WHERE released_at IS NULL;
