"""How to reach the systems outside: read from `LEADBUS_*` variables, printed by `leadbus config`.

One class for every process, because every process reaches a subset of the same systems. The vendors' hosts default to
the real ones; pointing them at a sandbox changes nothing but these values and the credentials. There is no default for
broker and store: a process that was not told where they are must not start somewhere else.
"""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ConnectionSettings(BaseSettings):
    """Addresses and credentials' whereabouts."""

    model_config = SettingsConfigDict(env_prefix="LEADBUS_", extra="ignore", frozen=True)

    kafka_bootstrap: str
    """host:port[,host:port…] of the brokers."""
    topic_prefix: str = ""
    store_url: str
    """`spanner://PROJECT/INSTANCE/DATABASE` or `sqlite:///PATH`."""
    objects_url: str
    """Where words, vectors and thinking steps are kept: `file:///DIR`, `gs://BUCKET/PREFIX` or `memory://` (tests)."""
    secrets_file: Path | None = None
    """JSON of `{"TENANT/NAME": "env://VAR" | "file:///PATH" | "gcp://projects/P/secrets/S/versions/V"}`."""

    google_project: str = "leadbus"
    google_endpoint: str | None = None
    """host:port that stands in for Google's APIs, without TLS (a sandbox); None for Google itself."""
    speech_location: str = "us"
    speech_model: str = "chirp_3"
    speech_channels: int = Field(default=7, ge=1)
    """gRPC channels; one carries about 80 concurrent calls."""
    gemini_location: str = "us-central1"
    gemini_model: str = "gemini-2.5-flash"
    gemini_thinking_budget: int = Field(default=512, ge=-1)
    gemini_max_output_tokens: int = Field(default=2048, ge=64)
    gemini_channels: int = Field(default=3, ge=1)
    embedding_model: str = "gemini-embedding-001"
    embedding_dimensions: int = Field(default=768, ge=1, le=8000)

    hubspot_url: str = "https://api.hubapi.com"
    salesforce_url: str | None = None
    """Overrides each tenant's instance URL (a sandbox); None uses the tenant's own."""
    pipedrive_url: str | None = None
    """Overrides each tenant's company URL (a sandbox); None uses the tenant's own."""
    sendgrid_url: str = "https://api.sendgrid.com"
    recordings_hosts: tuple[str, ...] = ()
    """host[:port] that recordings may be fetched from over plain HTTP besides the tenant's own (a sandbox)."""

    lease_seconds: float = Field(default=30.0, gt=1)
    """How long a claim on an effect is kept; vendors' deadlines lie inside it, and after a crash it must run out."""
    connect_timeout_seconds: float = Field(default=3.0, gt=0)
    read_timeout_seconds: float = Field(default=15.0, gt=0)

    otlp_endpoint: str | None = None
    """Base address of an OpenTelemetry collector (http://HOST:4318) that traces are sent to; None makes none."""
    trace_ratio: float = Field(default=1.0, ge=0, le=1)
    """Part of the traces begun here that is kept; a caller's own trace is kept as its flag says."""
