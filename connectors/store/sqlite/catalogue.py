"""Every SQL statement that is run against SQLite. Handlers name one and bind values; they never build any.

`Scoped` holds what is done for one tenant: each statement binds `:tenant_id` with `=` or writes it, in every SELECT of
it. `Admin` holds what may see several tenants. `Housekeeping` what sees none.
"""

from typing import Final


class Housekeeping:
    """The clock and the migrations."""

    # The operating system's clock in milliseconds, which all processes on this file share.
    CLOCK: Final = "SELECT CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000 AS now"
    MIGRATIONS_TABLE: Final = """
        CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT NOT NULL PRIMARY KEY, applied_at INTEGER NOT NULL)
        STRICT"""
    MIGRATIONS: Final = "SELECT name FROM schema_migrations ORDER BY name"
    NOTE_MIGRATION: Final = "INSERT INTO schema_migrations (name, applied_at) VALUES (:name, :applied_at)"
    PING: Final = "SELECT COUNT(*) AS rows_found FROM schema_migrations"


class Scoped:
    """One tenant's rows."""

    # requests and events
    LOCATE_REQUEST: Final = """
        SELECT office_id, test, revision, field_revisions FROM requests
        WHERE tenant_id = :tenant_id AND request_id = :request_id"""
    MAKE_NO_OFFICE: Final = """
        INSERT INTO offices (tenant_id, office_id, name, status, created_at, updated_at)
        VALUES (:tenant_id, :office_id, :name, :status, :created_at, :created_at)
        ON CONFLICT (tenant_id, office_id) DO NOTHING"""
    # NULL stands for "unchanged": a fact is never set back to nothing.
    GROW_REQUEST: Final = """
        INSERT INTO requests (
          tenant_id, office_id, request_id, contact_id, communication_mode, source, test, caller_name, caller_phone,
          caller_email, call_id, recording_url, audio_duration_seconds, transcription_data, ai_analysis, lead_score,
          spam_likelihood, sentiment_score, content_embedding, semantic_tags, processing_time_ms, gemini_model_used,
          speech_model_used, replaces, received_at, created_at, processed_at, revision, field_revisions, updated_at)
        VALUES (
          :tenant_id, :office_id, :request_id, :contact_id, :communication_mode, :source, :test, :caller_name,
          :caller_phone, :caller_email, :call_id, :recording_url, :audio_duration_seconds, :transcription_data,
          :ai_analysis, :lead_score, :spam_likelihood, :sentiment_score, :content_embedding, :semantic_tags,
          :processing_time_ms, :gemini_model_used, :speech_model_used, :replaces, :received_at, :created_at,
          :processed_at, :revision, :field_revisions, :updated_at)
        ON CONFLICT (tenant_id, request_id) DO UPDATE SET
          office_id = excluded.office_id,
          contact_id = COALESCE(excluded.contact_id, contact_id),
          communication_mode = COALESCE(excluded.communication_mode, communication_mode),
          source = COALESCE(excluded.source, source),
          test = excluded.test,
          caller_name = COALESCE(excluded.caller_name, caller_name),
          caller_phone = COALESCE(excluded.caller_phone, caller_phone),
          caller_email = COALESCE(excluded.caller_email, caller_email),
          call_id = COALESCE(excluded.call_id, call_id),
          recording_url = COALESCE(excluded.recording_url, recording_url),
          audio_duration_seconds = COALESCE(excluded.audio_duration_seconds, audio_duration_seconds),
          transcription_data = COALESCE(excluded.transcription_data, transcription_data),
          ai_analysis = COALESCE(excluded.ai_analysis, ai_analysis),
          lead_score = COALESCE(excluded.lead_score, lead_score),
          spam_likelihood = COALESCE(excluded.spam_likelihood, spam_likelihood),
          sentiment_score = COALESCE(excluded.sentiment_score, sentiment_score),
          content_embedding = COALESCE(excluded.content_embedding, content_embedding),
          semantic_tags = COALESCE(excluded.semantic_tags, semantic_tags),
          processing_time_ms = COALESCE(excluded.processing_time_ms, processing_time_ms),
          gemini_model_used = COALESCE(excluded.gemini_model_used, gemini_model_used),
          speech_model_used = COALESCE(excluded.speech_model_used, speech_model_used),
          replaces = COALESCE(excluded.replaces, replaces),
          received_at = COALESCE(excluded.received_at, received_at),
          processed_at = COALESCE(excluded.processed_at, processed_at),
          revision = excluded.revision,
          field_revisions = excluded.field_revisions,
          updated_at = excluded.updated_at"""
    GET_REQUEST: Final = "SELECT * FROM requests WHERE tenant_id = :tenant_id AND request_id = :request_id"
    LIST_REQUESTS: Final = """
        SELECT * FROM requests WHERE tenant_id = :tenant_id
        ORDER BY received_at DESC, request_id DESC LIMIT :limit"""
    LIST_REQUESTS_BEFORE: Final = """
        SELECT * FROM requests
        WHERE tenant_id = :tenant_id
          AND ((received_at, request_id) < (:received_at, :request_id) OR received_at IS NULL)
        ORDER BY received_at DESC, request_id DESC LIMIT :limit"""
    LIST_REQUESTS_BEFORE_TIMELESS: Final = """
        SELECT * FROM requests WHERE tenant_id = :tenant_id AND received_at IS NULL AND request_id < :request_id
        ORDER BY request_id DESC LIMIT :limit"""
    VECTORS: Final = """
        SELECT request_id, content_embedding FROM requests
        WHERE tenant_id = :tenant_id AND content_embedding IS NOT NULL"""
    ARRIVALS_OF_EVENT: Final = """
        SELECT topic, kafka_partition, kafka_offset, is_first FROM arrivals
        WHERE tenant_id = :tenant_id AND event_id = :event_id"""
    ADD_ARRIVAL: Final = """
        INSERT INTO arrivals (
          tenant_id, event_id, topic, kafka_partition, kafka_offset, request_id, source, event_kind, received_at,
          is_first, created_at)
        VALUES (
          :tenant_id, :event_id, :topic, :kafka_partition, :kafka_offset, :request_id, :source, :event_kind,
          :received_at, :is_first, :created_at)"""

    # paid results and decisions
    GET_RESULT: Final = """
        SELECT result FROM paid_results
        WHERE tenant_id = :tenant_id AND kind = :kind AND input_hash = :input_hash"""
    ADD_RESULT: Final = """
        INSERT INTO paid_results (tenant_id, kind, input_hash, result, created_at)
        VALUES (:tenant_id, :kind, :input_hash, :result, :created_at)
        ON CONFLICT (tenant_id, kind, input_hash) DO NOTHING"""
    GET_DECISION: Final = """
        SELECT document FROM decisions
        WHERE tenant_id = :tenant_id AND event_id = :event_id AND phase = :phase AND generation = :generation"""
    ADD_DECISION: Final = """
        INSERT INTO decisions (
          tenant_id, event_id, phase, generation, decision_id, request_id, document, created_at)
        VALUES (
          :tenant_id, :event_id, :phase, :generation, :decision_id, :request_id, :document, :created_at)"""
    LIST_DECISIONS: Final = """
        SELECT document FROM decisions WHERE tenant_id = :tenant_id AND request_id = :request_id
        ORDER BY created_at, rowid"""
    TICKET_OF_ORDER: Final = """
        SELECT pool, number, order_id, member FROM tickets WHERE tenant_id = :tenant_id AND order_id = :order_id"""
    ADD_TICKET: Final = """
        INSERT INTO tickets (tenant_id, pool, number, order_id, member, created_at)
        VALUES (:tenant_id, :pool, :number, :order_id, :member, :created_at)"""
    LIST_TICKETS: Final = """
        SELECT pool, number, order_id, member FROM tickets WHERE tenant_id = :tenant_id AND pool = :pool
        ORDER BY number"""
    GET_POOL: Final = "SELECT next_number FROM pools WHERE tenant_id = :tenant_id AND pool = :pool"
    PUT_POOL: Final = """
        INSERT INTO pools (tenant_id, pool, next_number) VALUES (:tenant_id, :pool, :next_number)
        ON CONFLICT (tenant_id, pool) DO UPDATE SET next_number = excluded.next_number"""

    # delivery ledger
    GET_TARGET: Final = """
        SELECT connector_id, object, external_id, remote_id, fields, version FROM targets
        WHERE tenant_id = :tenant_id AND connector_id = :connector_id AND object = :object
          AND external_id = :external_id"""
    PUT_TARGET: Final = """
        INSERT INTO targets (tenant_id, connector_id, object, external_id, remote_id, fields, version, updated_at)
        VALUES (:tenant_id, :connector_id, :object, :external_id, :remote_id, :fields, :version, :updated_at)
        ON CONFLICT (tenant_id, connector_id, object, external_id) DO UPDATE SET
          remote_id = excluded.remote_id, fields = excluded.fields, version = excluded.version,
          updated_at = excluded.updated_at"""
    GET_ORDER: Final = """
        SELECT state, owner, leased_at, lease_seconds, version, in_doubt, result, parts FROM orders
        WHERE tenant_id = :tenant_id AND order_id = :order_id"""
    PUT_ORDER: Final = """
        INSERT INTO orders (
          tenant_id, order_id, state, owner, leased_at, lease_seconds, version, in_doubt, result, parts, updated_at)
        VALUES (
          :tenant_id, :order_id, :state, :owner, :leased_at, :lease_seconds, :version, :in_doubt, :result, :parts,
          :updated_at)
        ON CONFLICT (tenant_id, order_id) DO UPDATE SET
          state = excluded.state, owner = excluded.owner, leased_at = excluded.leased_at,
          lease_seconds = excluded.lease_seconds, version = excluded.version, in_doubt = excluded.in_doubt,
          result = excluded.result, parts = excluded.parts, updated_at = excluded.updated_at"""

    # outcomes and parked
    ADD_OUTCOME: Final = """
        INSERT INTO outcomes (
          tenant_id, event_id, phase, step_id, generation, outcome_id, request_id, state, ended_at, document,
          created_at)
        VALUES (
          :tenant_id, :event_id, :phase, :step_id, :generation, :outcome_id, :request_id, :state, :ended_at,
          :document, :created_at)
        ON CONFLICT (tenant_id, event_id, phase, step_id, generation) DO NOTHING"""
    LIST_OUTCOMES: Final = "SELECT document FROM outcomes WHERE tenant_id = :tenant_id ORDER BY ended_at, outcome_id"
    LIST_OUTCOMES_OF_REQUEST: Final = """
        SELECT document FROM outcomes WHERE tenant_id = :tenant_id AND request_id = :request_id
        ORDER BY ended_at, outcome_id"""
    PARK: Final = """
        INSERT INTO parked (
          tenant_id, park_id, stage, reason, detail, event_id, request_id, topic, record, headers, connector_id, due,
          parked_at, released_at)
        VALUES (
          :tenant_id, :park_id, :stage, :reason, :detail, :event_id, :request_id, :topic, :record, :headers,
          :connector_id, :due, :parked_at, :released_at)
        ON CONFLICT (tenant_id, park_id) DO UPDATE SET
          stage = excluded.stage, reason = excluded.reason, detail = excluded.detail, event_id = excluded.event_id,
          request_id = excluded.request_id, topic = excluded.topic, record = excluded.record,
          headers = excluded.headers, connector_id = excluded.connector_id, due = excluded.due,
          parked_at = excluded.parked_at, released_at = NULL
        WHERE parked.released_at IS NOT NULL"""
    LIST_PARKED: Final = """
        SELECT * FROM parked WHERE tenant_id = :tenant_id AND released_at IS NULL ORDER BY parked_at, rowid"""
    LIST_RELEASED: Final = """
        SELECT * FROM parked WHERE tenant_id = :tenant_id AND released_at IS NOT NULL ORDER BY parked_at, rowid"""
    GET_PARKED: Final = "SELECT * FROM parked WHERE tenant_id = :tenant_id AND park_id = :park_id"
    DUE_PARKED: Final = """
        SELECT * FROM parked WHERE tenant_id = :tenant_id AND released_at IS NULL AND due <= :due_by
        ORDER BY parked_at, rowid LIMIT :limit"""
    RELEASE: Final = """
        UPDATE parked SET released_at = COALESCE(released_at, :released_at)
        WHERE tenant_id = :tenant_id AND park_id = :park_id"""

    # tenant
    GET_TENANT: Final = "SELECT * FROM tenants WHERE tenant_id = :tenant_id"
    LIST_OFFICES: Final = "SELECT * FROM offices WHERE tenant_id = :tenant_id AND office_id != '-' ORDER BY office_id"
    COUNT: Final = """
        SELECT 'offices' AS name, COUNT(*) AS rows_found FROM offices WHERE tenant_id = :tenant_id AND office_id != '-'
        UNION ALL SELECT 'requests', COUNT(*) FROM requests WHERE tenant_id = :tenant_id
        UNION ALL SELECT 'arrivals', COUNT(*) FROM arrivals WHERE tenant_id = :tenant_id
        UNION ALL SELECT 'paid_results', COUNT(*) FROM paid_results WHERE tenant_id = :tenant_id
        UNION ALL SELECT 'decisions', COUNT(*) FROM decisions WHERE tenant_id = :tenant_id
        UNION ALL SELECT 'tickets', COUNT(*) FROM tickets WHERE tenant_id = :tenant_id
        UNION ALL SELECT 'targets', COUNT(*) FROM targets WHERE tenant_id = :tenant_id
        UNION ALL SELECT 'orders', COUNT(*) FROM orders WHERE tenant_id = :tenant_id
        UNION ALL SELECT 'outcomes', COUNT(*) FROM outcomes WHERE tenant_id = :tenant_id
        UNION ALL SELECT 'parked', COUNT(*) FROM parked WHERE tenant_id = :tenant_id
        UNION ALL SELECT 'outcomes.' || state, COUNT(*) FROM outcomes WHERE tenant_id = :tenant_id GROUP BY state"""


class Admin:
    """Set-up and bundles; some of it sees every tenant."""

    PUT_TENANT: Final = """
        INSERT INTO tenants (
          tenant_id, name, status, embedding_enabled, graph_features_enabled, isolation_level, created_at, updated_at)
        VALUES (
          :tenant_id, :name, :status, :embedding_enabled, :graph_features_enabled, :isolation_level, :updated_at,
          :updated_at)
        ON CONFLICT (tenant_id) DO UPDATE SET
          name = excluded.name, status = excluded.status, embedding_enabled = excluded.embedding_enabled,
          graph_features_enabled = excluded.graph_features_enabled, isolation_level = excluded.isolation_level,
          updated_at = excluded.updated_at"""
    PUT_OFFICE: Final = """
        INSERT INTO offices (
          tenant_id, office_id, name, callrail_company_id, callrail_api_key, workflow_config, office_embedding, status,
          created_at, updated_at)
        VALUES (
          :tenant_id, :office_id, :name, :callrail_company_id, :callrail_api_key, :workflow_config, :office_embedding,
          :status, :updated_at, :updated_at)
        ON CONFLICT (tenant_id, office_id) DO UPDATE SET
          name = excluded.name, callrail_company_id = excluded.callrail_company_id,
          callrail_api_key = excluded.callrail_api_key, workflow_config = excluded.workflow_config,
          office_embedding = COALESCE(excluded.office_embedding, office_embedding), status = excluded.status,
          updated_at = excluded.updated_at"""
    LIST_TENANTS: Final = "SELECT * FROM tenants ORDER BY tenant_id"
    PARKED_GROUPS: Final = """
        SELECT tenant_id, stage, reason, COUNT(*) AS rows_found, MIN(parked_at) AS oldest, MIN(due) AS next_due
        FROM parked WHERE released_at IS NULL GROUP BY tenant_id, stage, reason ORDER BY tenant_id, stage, reason"""
    ADD_HALF: Final = """
        INSERT INTO bundle_halves (tenant_id, half, digest, body, created_at)
        VALUES (:tenant_id, :half, :digest, :body, :created_at)
        ON CONFLICT (tenant_id, half, digest) DO NOTHING"""
    GET_HALF: Final = """
        SELECT body FROM bundle_halves WHERE tenant_id = :tenant_id AND half = :half AND digest = :digest"""
    SET_LIVE: Final = """
        INSERT INTO live_bundles (tenant_id, sequence, document, updated_at)
        VALUES (:tenant_id, :sequence, :document, :updated_at)
        ON CONFLICT (tenant_id) DO UPDATE SET
          sequence = excluded.sequence, document = excluded.document, updated_at = excluded.updated_at
        WHERE live_bundles.sequence < excluded.sequence"""
    LIST_LIVE: Final = "SELECT document FROM live_bundles ORDER BY tenant_id"
    ERASE: Final = (
        "DELETE FROM requests WHERE tenant_id = :tenant_id",
        "DELETE FROM offices WHERE tenant_id = :tenant_id",
        "DELETE FROM tenants WHERE tenant_id = :tenant_id",
        "DELETE FROM arrivals WHERE tenant_id = :tenant_id",
        "DELETE FROM paid_results WHERE tenant_id = :tenant_id",
        "DELETE FROM decisions WHERE tenant_id = :tenant_id",
        "DELETE FROM pools WHERE tenant_id = :tenant_id",
        "DELETE FROM tickets WHERE tenant_id = :tenant_id",
        "DELETE FROM targets WHERE tenant_id = :tenant_id",
        "DELETE FROM orders WHERE tenant_id = :tenant_id",
        "DELETE FROM outcomes WHERE tenant_id = :tenant_id",
        "DELETE FROM parked WHERE tenant_id = :tenant_id",
        "DELETE FROM bundle_halves WHERE tenant_id = :tenant_id",
        "DELETE FROM live_bundles WHERE tenant_id = :tenant_id",
    )
