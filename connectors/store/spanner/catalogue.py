"""Every key, column list and SQL statement that is used against Spanner. Handlers name one; they never build any.

Single rows are read and written by key, which costs Spanner the least; SQL is for lists, counts and search. Each
table's and index's key begins with tenant_id, and each statement of `Scoped` compares it with `=` in every SELECT.
"""

from dataclasses import dataclass
from typing import Final

from connectors.store.rows import OFFICE_FIELDS, REQUEST_FIELDS, TENANT_FIELDS


@dataclass(frozen=True, slots=True)
class Table:
    """What is read of a table, by which key; or of one of its indexes."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    index: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A statement and the kinds of its parameters by name: a column's name, or `limit` or `vector`."""

    sql: str
    parameters: tuple[str, ...] = ("tenant_id",)


class Tables:
    """Tables and indexes."""

    TENANTS: Final = Table("tenants", ("tenant_id",), TENANT_FIELDS)
    OFFICES: Final = Table("offices", ("tenant_id", "office_id"), OFFICE_FIELDS)
    REQUESTS: Final = Table(
        "requests", ("tenant_id", "office_id", "request_id"), (*REQUEST_FIELDS, "field_revisions", "updated_at")
    )
    REQUESTS_BY_ID: Final = Table(
        "requests",
        ("tenant_id", "request_id"),
        ("office_id", "test", "revision", "field_revisions"),
        index="requests_by_id",
    )
    ARRIVALS: Final = Table(
        "arrivals",
        ("tenant_id", "event_id", "topic", "kafka_partition", "kafka_offset"),
        ("topic", "kafka_partition", "kafka_offset", "is_first"),
    )
    PAID_RESULTS: Final = Table("paid_results", ("tenant_id", "kind", "input_hash"), ("result",))
    DECISIONS: Final = Table("decisions", ("tenant_id", "event_id", "phase", "generation"), ("document",))
    POOLS: Final = Table("pools", ("tenant_id", "pool"), ("pool", "next_number"))
    TICKETS: Final = Table("tickets", ("tenant_id", "pool", "number"), ("pool", "number", "order_id", "member"))
    TICKETS_BY_ORDER: Final = Table(
        "tickets", ("tenant_id", "order_id"), ("pool", "number", "order_id", "member"), index="tickets_by_order"
    )
    TARGETS: Final = Table(
        "targets",
        ("tenant_id", "connector_id", "object", "external_id"),
        ("connector_id", "object", "external_id", "remote_id", "fields", "version"),
    )
    ORDERS: Final = Table(
        "orders",
        ("tenant_id", "order_id"),
        ("state", "owner", "leased_at", "lease_seconds", "version", "in_doubt", "result", "parts"),
    )
    OUTCOMES: Final = Table("outcomes", ("tenant_id", "event_id", "phase", "step_id", "generation"), ("outcome_id",))
    PARKED: Final = Table("parked", ("tenant_id", "park_id"), ("released_at",))
    BUNDLE_HALVES: Final = Table("bundle_halves", ("tenant_id", "half", "digest"), ("body",))
    LIVE_BUNDLES: Final = Table("live_bundles", ("tenant_id",), ("sequence",))


class Scoped:
    """One tenant's rows."""

    LIST_REQUESTS: Final = Query(
        f"SELECT {', '.join(REQUEST_FIELDS)} FROM requests WHERE tenant_id = @tenant_id"  # noqa: S608 - names only
        " ORDER BY received_at DESC, request_id DESC LIMIT @limit",
        ("tenant_id", "limit"),
    )
    LIST_REQUESTS_BEFORE: Final = Query(
        f"SELECT {', '.join(REQUEST_FIELDS)} FROM requests WHERE tenant_id = @tenant_id"  # noqa: S608 - names only
        " AND (received_at < @received_at OR (received_at = @received_at AND request_id < @request_id)"
        " OR received_at IS NULL) ORDER BY received_at DESC, request_id DESC LIMIT @limit",
        ("tenant_id", "received_at", "request_id", "limit"),
    )
    LIST_REQUESTS_BEFORE_TIMELESS: Final = Query(
        f"SELECT {', '.join(REQUEST_FIELDS)} FROM requests WHERE tenant_id = @tenant_id"  # noqa: S608 - names only
        " AND received_at IS NULL AND request_id < @request_id ORDER BY request_id DESC LIMIT @limit",
        ("tenant_id", "request_id", "limit"),
    )
    SIMILAR_REQUESTS: Final = Query(
        "SELECT request_id, COSINE_DISTANCE(content_embedding, @vector) AS distance FROM requests"
        " WHERE tenant_id = @tenant_id AND content_embedding IS NOT NULL ORDER BY distance, request_id LIMIT @limit",
        ("tenant_id", "vector", "limit"),
    )
    LIST_DECISIONS: Final = Query(
        "SELECT document FROM decisions WHERE tenant_id = @tenant_id AND request_id = @request_id"
        " ORDER BY created_at, decision_id",
        ("tenant_id", "request_id"),
    )
    LIST_TICKETS: Final = Query(
        "SELECT pool, number, order_id, member FROM tickets WHERE tenant_id = @tenant_id AND pool = @pool"
        " ORDER BY number",
        ("tenant_id", "pool"),
    )
    LIST_OUTCOMES: Final = Query(
        "SELECT document FROM outcomes WHERE tenant_id = @tenant_id ORDER BY ended_at, outcome_id"
    )
    LIST_OUTCOMES_OF_REQUEST: Final = Query(
        "SELECT document FROM outcomes WHERE tenant_id = @tenant_id AND request_id = @request_id"
        " ORDER BY ended_at, outcome_id",
        ("tenant_id", "request_id"),
    )
    LIST_PARKED: Final = Query(
        "SELECT * FROM parked WHERE tenant_id = @tenant_id AND released_at IS NULL ORDER BY parked_at, park_id"
    )
    LIST_RELEASED: Final = Query(
        "SELECT * FROM parked WHERE tenant_id = @tenant_id AND released_at IS NOT NULL ORDER BY parked_at, park_id"
    )
    DUE_PARKED: Final = Query(
        "SELECT * FROM parked WHERE tenant_id = @tenant_id AND released_at IS NULL AND due <= @due_by"
        " ORDER BY parked_at, park_id LIMIT @limit",
        ("tenant_id", "due_by", "limit"),
    )
    GET_PARKED: Final = Query(
        "SELECT * FROM parked WHERE tenant_id = @tenant_id AND park_id = @park_id", ("tenant_id", "park_id")
    )
    LIST_OFFICES: Final = Query(
        "SELECT * FROM offices WHERE tenant_id = @tenant_id AND office_id != '-' ORDER BY office_id"
    )
    COUNT: Final = Query(
        "SELECT 'offices' AS name, COUNT(*) AS rows_found FROM offices"
        " WHERE tenant_id = @tenant_id AND office_id != '-'"
        " UNION ALL SELECT 'requests', COUNT(*) FROM requests WHERE tenant_id = @tenant_id"
        " UNION ALL SELECT 'arrivals', COUNT(*) FROM arrivals WHERE tenant_id = @tenant_id"
        " UNION ALL SELECT 'paid_results', COUNT(*) FROM paid_results WHERE tenant_id = @tenant_id"
        " UNION ALL SELECT 'decisions', COUNT(*) FROM decisions WHERE tenant_id = @tenant_id"
        " UNION ALL SELECT 'tickets', COUNT(*) FROM tickets WHERE tenant_id = @tenant_id"
        " UNION ALL SELECT 'targets', COUNT(*) FROM targets WHERE tenant_id = @tenant_id"
        " UNION ALL SELECT 'orders', COUNT(*) FROM orders WHERE tenant_id = @tenant_id"
        " UNION ALL SELECT 'outcomes', COUNT(*) FROM outcomes WHERE tenant_id = @tenant_id"
        " UNION ALL SELECT 'parked', COUNT(*) FROM parked WHERE tenant_id = @tenant_id"
        " UNION ALL SELECT CONCAT('outcomes.', state), COUNT(*) FROM outcomes WHERE tenant_id = @tenant_id"
        " GROUP BY state"
    )


class Admin:
    """What sees every tenant, and the erasing of one."""

    LIST_TENANTS: Final = Query("SELECT * FROM tenants ORDER BY tenant_id", ())
    PARKED_GROUPS: Final = Query(
        "SELECT tenant_id, stage, reason, COUNT(*) AS rows_found, MIN(parked_at) AS oldest, MIN(due) AS next_due"
        " FROM parked WHERE released_at IS NULL"
        " GROUP BY tenant_id, stage, reason ORDER BY tenant_id, stage, reason",
        (),
    )
    LIST_LIVE: Final = Query("SELECT document FROM live_bundles ORDER BY tenant_id", ())
    # Partitioned statements, so that no tenant is too large for a transaction; the tenant's own row goes last.
    ERASE: Final = (
        Query("DELETE FROM requests WHERE tenant_id = @tenant_id"),
        Query("DELETE FROM offices WHERE tenant_id = @tenant_id"),
        Query("DELETE FROM arrivals WHERE tenant_id = @tenant_id"),
        Query("DELETE FROM paid_results WHERE tenant_id = @tenant_id"),
        Query("DELETE FROM decisions WHERE tenant_id = @tenant_id"),
        Query("DELETE FROM pools WHERE tenant_id = @tenant_id"),
        Query("DELETE FROM tickets WHERE tenant_id = @tenant_id"),
        Query("DELETE FROM targets WHERE tenant_id = @tenant_id"),
        Query("DELETE FROM orders WHERE tenant_id = @tenant_id"),
        Query("DELETE FROM outcomes WHERE tenant_id = @tenant_id"),
        Query("DELETE FROM parked WHERE tenant_id = @tenant_id"),
        Query("DELETE FROM bundle_halves WHERE tenant_id = @tenant_id"),
        Query("DELETE FROM live_bundles WHERE tenant_id = @tenant_id"),
        Query("DELETE FROM tenants WHERE tenant_id = @tenant_id"),
    )


class Housekeeping:
    """The clock and the migrations."""

    CLOCK: Final = Query("SELECT CURRENT_TIMESTAMP() AS now", ())
    MIGRATIONS_TABLE: Final = (
        "CREATE TABLE IF NOT EXISTS schema_migrations (name STRING(128) NOT NULL,"
        " applied_at TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true)) PRIMARY KEY (name)"
    )
    MIGRATIONS: Final = Query("SELECT name FROM schema_migrations ORDER BY name", ())
    SCHEMA_MIGRATIONS: Final = Table("schema_migrations", ("name",), ("name",))
