-- Everything the pipeline remembers. tenant_id stands first in every key; times are microseconds since 1970 (UTC) by
-- the store's own clock unless a column says otherwise; JSON is canonical text; vectors are little-endian float32.
-- Only offices and requests hang on their tenant: a record must be parked even when nobody knows its tenant.

CREATE TABLE tenants (
  tenant_id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('active', 'suspended', 'deleted')),
  embedding_enabled INTEGER NOT NULL,
  graph_features_enabled INTEGER NOT NULL,
  isolation_level TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE offices (
  tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id) ON DELETE CASCADE,
  office_id TEXT NOT NULL,
  name TEXT NOT NULL,
  callrail_company_id TEXT,
  callrail_api_key TEXT,
  workflow_config TEXT,
  office_embedding BLOB,
  status TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, office_id)
) STRICT;

-- received_at and processed_at are the pipeline's times; field_revisions says which revision wrote which fields.
CREATE TABLE requests (
  tenant_id TEXT NOT NULL,
  office_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  contact_id TEXT,
  communication_mode TEXT,
  source TEXT,
  test INTEGER NOT NULL,
  caller_name TEXT,
  caller_phone TEXT,
  caller_email TEXT,
  call_id TEXT,
  recording_url TEXT,
  audio_duration_seconds REAL,
  transcription_data TEXT,
  ai_analysis TEXT,
  lead_score REAL,
  spam_likelihood REAL,
  sentiment_score REAL,
  content_embedding BLOB,
  semantic_tags TEXT,
  processing_time_ms INTEGER,
  gemini_model_used TEXT,
  speech_model_used TEXT,
  replaces TEXT,
  received_at INTEGER,
  created_at INTEGER NOT NULL,
  processed_at INTEGER,
  revision TEXT,
  field_revisions TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, request_id),
  FOREIGN KEY (tenant_id, office_id) REFERENCES offices (tenant_id, office_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX requests_by_received ON requests (tenant_id, received_at DESC, request_id DESC);

CREATE TABLE arrivals (
  tenant_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  topic TEXT NOT NULL,
  kafka_partition INTEGER NOT NULL,
  kafka_offset INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  source TEXT NOT NULL,
  event_kind TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  is_first INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, event_id, topic, kafka_partition, kafka_offset)
) STRICT, WITHOUT ROWID;

CREATE TABLE paid_results (
  tenant_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  input_hash TEXT NOT NULL,
  result TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, kind, input_hash)
) STRICT;

CREATE TABLE decisions (
  tenant_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  phase TEXT NOT NULL,
  generation INTEGER NOT NULL,
  decision_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  document TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, event_id, phase, generation)
) STRICT;
CREATE INDEX decisions_by_request ON decisions (tenant_id, request_id);

CREATE TABLE pools (
  tenant_id TEXT NOT NULL,
  pool TEXT NOT NULL,
  next_number INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, pool)
) STRICT, WITHOUT ROWID;

CREATE TABLE tickets (
  tenant_id TEXT NOT NULL,
  pool TEXT NOT NULL,
  number INTEGER NOT NULL,
  order_id TEXT NOT NULL,
  member TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, pool, number),
  UNIQUE (tenant_id, order_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE targets (
  tenant_id TEXT NOT NULL,
  connector_id TEXT NOT NULL,
  object TEXT NOT NULL,
  external_id TEXT NOT NULL,
  remote_id TEXT,
  fields TEXT NOT NULL,
  version INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, connector_id, object, external_id)
) STRICT;

-- owner, leased_at and lease_seconds are NULL while nobody holds the order.
CREATE TABLE orders (
  tenant_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('claimed', 'sent', 'done', 'failed')),
  owner TEXT,
  leased_at INTEGER,
  lease_seconds REAL,
  version INTEGER NOT NULL,
  in_doubt INTEGER NOT NULL,
  result TEXT,
  parts TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, order_id)
) STRICT;

-- ended_at is the outcome's own time.
CREATE TABLE outcomes (
  tenant_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  phase TEXT NOT NULL,
  step_id TEXT NOT NULL,
  generation INTEGER NOT NULL,
  outcome_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  state TEXT NOT NULL,
  ended_at INTEGER NOT NULL,
  document TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, event_id, phase, step_id, generation)
) STRICT;
CREATE INDEX outcomes_by_request ON outcomes (tenant_id, request_id);

-- due is the parker's time.
CREATE TABLE parked (
  tenant_id TEXT NOT NULL,
  park_id TEXT NOT NULL,
  stage TEXT NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  event_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  topic TEXT NOT NULL,
  record BLOB NOT NULL,
  headers TEXT NOT NULL,
  connector_id TEXT,
  due INTEGER,
  parked_at INTEGER NOT NULL,
  released_at INTEGER,
  PRIMARY KEY (tenant_id, park_id)
) STRICT;
CREATE INDEX parked_by_time ON parked (tenant_id, parked_at);

CREATE TABLE bundle_halves (
  tenant_id TEXT NOT NULL,
  half TEXT NOT NULL CHECK (half IN ('intake', 'rules')),
  digest TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, half, digest)
) STRICT;

CREATE TABLE live_bundles (
  tenant_id TEXT NOT NULL PRIMARY KEY,
  sequence INTEGER NOT NULL,
  document TEXT NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
