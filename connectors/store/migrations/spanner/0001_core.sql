-- Everything the pipeline remembers. tenant_id stands first in every key; times are commit timestamps unless a column
-- says otherwise. Columns of type JSON sort their keys and normalize numbers, so what must come back byte for byte is
-- canonical text. Only offices and requests are interleaved: a record must be parked even when nobody knows its tenant.
-- Every statement may be repeated, because schema changes are no transactions and two processes may race.

CREATE TABLE IF NOT EXISTS tenants (
  tenant_id STRING(64) NOT NULL,
  name STRING(256) NOT NULL,
  status STRING(16) NOT NULL,
  embedding_enabled BOOL NOT NULL,
  graph_features_enabled BOOL NOT NULL,
  isolation_level STRING(64) NOT NULL,
  created_at TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  updated_at TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  CONSTRAINT ck_tenants_status CHECK (status IN ('active', 'suspended', 'deleted')),
) PRIMARY KEY (tenant_id);

CREATE TABLE IF NOT EXISTS offices (
  tenant_id STRING(64) NOT NULL,
  office_id STRING(64) NOT NULL,
  name STRING(256) NOT NULL,
  callrail_company_id STRING(256),
  callrail_api_key STRING(256),
  workflow_config JSON,
  office_embedding ARRAY<FLOAT32>(vector_length=>768),
  status STRING(64) NOT NULL,
  created_at TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  updated_at TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (tenant_id, office_id), INTERLEAVE IN PARENT tenants ON DELETE CASCADE;

-- received_at and processed_at are the pipeline's times; field_revisions says which revision wrote which fields.
CREATE TABLE IF NOT EXISTS requests (
  tenant_id STRING(64) NOT NULL,
  office_id STRING(64) NOT NULL,
  request_id STRING(64) NOT NULL,
  contact_id STRING(64),
  communication_mode STRING(64),
  source STRING(64),
  test BOOL NOT NULL,
  caller_name STRING(MAX),
  caller_phone STRING(MAX),
  caller_email STRING(MAX),
  call_id STRING(MAX),
  recording_url STRING(MAX),
  audio_duration_seconds FLOAT64,
  transcription_data JSON,
  ai_analysis JSON,
  lead_score FLOAT64,
  spam_likelihood FLOAT64,
  sentiment_score FLOAT64,
  content_embedding ARRAY<FLOAT32>(vector_length=>768),
  semantic_tags ARRAY<STRING(MAX)>,
  processing_time_ms INT64,
  gemini_model_used STRING(MAX),
  speech_model_used STRING(MAX),
  replaces STRING(64),
  received_at TIMESTAMP,
  created_at TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  processed_at TIMESTAMP,
  revision STRING(256),
  field_revisions STRING(MAX) NOT NULL,
  updated_at TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (tenant_id, office_id, request_id), INTERLEAVE IN PARENT offices ON DELETE CASCADE;

-- Where a request lies: its office is part of its key and may change, its id may not. Stores what a merge reads.
CREATE UNIQUE INDEX IF NOT EXISTS requests_by_id ON requests (tenant_id, request_id)
  STORING (test, revision, field_revisions, created_at);
CREATE INDEX IF NOT EXISTS requests_by_received ON requests (tenant_id, received_at DESC, request_id DESC);
-- A narrow scan for exact search inside a tenant.
CREATE INDEX IF NOT EXISTS requests_knn ON requests (tenant_id) STORING (content_embedding);

CREATE TABLE IF NOT EXISTS arrivals (
  tenant_id STRING(64) NOT NULL,
  event_id STRING(64) NOT NULL,
  topic STRING(256) NOT NULL,
  kafka_partition INT64 NOT NULL,
  kafka_offset INT64 NOT NULL,
  request_id STRING(64) NOT NULL,
  source STRING(64) NOT NULL,
  event_kind STRING(64) NOT NULL,
  received_at TIMESTAMP NOT NULL,
  is_first BOOL NOT NULL,
  created_at TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (tenant_id, event_id, topic, kafka_partition, kafka_offset);

CREATE TABLE IF NOT EXISTS paid_results (
  tenant_id STRING(64) NOT NULL,
  kind STRING(64) NOT NULL,
  input_hash STRING(256) NOT NULL,
  result STRING(MAX) NOT NULL,
  created_at TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (tenant_id, kind, input_hash);

CREATE TABLE IF NOT EXISTS decisions (
  tenant_id STRING(64) NOT NULL,
  event_id STRING(64) NOT NULL,
  phase STRING(64) NOT NULL,
  generation INT64 NOT NULL,
  decision_id STRING(64) NOT NULL,
  request_id STRING(64) NOT NULL,
  document STRING(MAX) NOT NULL,
  created_at TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (tenant_id, event_id, phase, generation);
CREATE INDEX IF NOT EXISTS decisions_by_request ON decisions (tenant_id, request_id);

CREATE TABLE IF NOT EXISTS pools (
  tenant_id STRING(64) NOT NULL,
  pool STRING(64) NOT NULL,
  next_number INT64 NOT NULL,
) PRIMARY KEY (tenant_id, pool);

CREATE TABLE IF NOT EXISTS tickets (
  tenant_id STRING(64) NOT NULL,
  pool STRING(64) NOT NULL,
  number INT64 NOT NULL,
  order_id STRING(64) NOT NULL,
  member STRING(MAX) NOT NULL,
  created_at TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (tenant_id, pool, number);
CREATE UNIQUE INDEX IF NOT EXISTS tickets_by_order ON tickets (tenant_id, order_id) STORING (member);

CREATE TABLE IF NOT EXISTS targets (
  tenant_id STRING(64) NOT NULL,
  connector_id STRING(64) NOT NULL,
  object STRING(256) NOT NULL,
  external_id STRING(256) NOT NULL,
  remote_id STRING(MAX),
  fields STRING(MAX) NOT NULL,
  version INT64 NOT NULL,
  updated_at TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (tenant_id, connector_id, object, external_id);

-- owner, leased_at and lease_seconds are NULL while nobody holds the order.
CREATE TABLE IF NOT EXISTS orders (
  tenant_id STRING(64) NOT NULL,
  order_id STRING(64) NOT NULL,
  state STRING(16) NOT NULL,
  owner STRING(256),
  leased_at TIMESTAMP OPTIONS (allow_commit_timestamp = true),
  lease_seconds FLOAT64,
  version INT64 NOT NULL,
  in_doubt BOOL NOT NULL,
  result STRING(MAX),
  parts STRING(MAX) NOT NULL,
  updated_at TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  CONSTRAINT ck_orders_state CHECK (state IN ('claimed', 'sent', 'done', 'failed')),
) PRIMARY KEY (tenant_id, order_id);

-- ended_at is the outcome's own time.
CREATE TABLE IF NOT EXISTS outcomes (
  tenant_id STRING(64) NOT NULL,
  event_id STRING(64) NOT NULL,
  phase STRING(64) NOT NULL,
  step_id STRING(256) NOT NULL,
  generation INT64 NOT NULL,
  outcome_id STRING(64) NOT NULL,
  request_id STRING(64) NOT NULL,
  state STRING(64) NOT NULL,
  ended_at TIMESTAMP NOT NULL,
  document STRING(MAX) NOT NULL,
  created_at TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (tenant_id, event_id, phase, step_id, generation);
CREATE INDEX IF NOT EXISTS outcomes_by_request ON outcomes (tenant_id, request_id);

-- due is the parker's time.
CREATE TABLE IF NOT EXISTS parked (
  tenant_id STRING(64) NOT NULL,
  park_id STRING(256) NOT NULL,
  stage STRING(64) NOT NULL,
  reason STRING(MAX) NOT NULL,
  detail STRING(MAX) NOT NULL,
  event_id STRING(64) NOT NULL,
  request_id STRING(64) NOT NULL,
  topic STRING(256) NOT NULL,
  record BYTES(MAX) NOT NULL,
  headers STRING(MAX) NOT NULL,
  connector_id STRING(64),
  due TIMESTAMP,
  parked_at TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  released_at TIMESTAMP OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (tenant_id, park_id);
CREATE INDEX IF NOT EXISTS parked_by_time ON parked (tenant_id, parked_at);

CREATE TABLE IF NOT EXISTS bundle_halves (
  tenant_id STRING(64) NOT NULL,
  half STRING(16) NOT NULL,
  digest STRING(256) NOT NULL,
  body STRING(MAX) NOT NULL,
  created_at TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
  CONSTRAINT ck_bundle_halves_half CHECK (half IN ('intake', 'rules')),
) PRIMARY KEY (tenant_id, half, digest);

CREATE TABLE IF NOT EXISTS live_bundles (
  tenant_id STRING(64) NOT NULL,
  sequence INT64 NOT NULL,
  document STRING(MAX) NOT NULL,
  updated_at TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),
) PRIMARY KEY (tenant_id);
