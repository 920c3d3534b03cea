"""How a daemon's runtime behaves: read from `LEADBUS_*` variables, printed by `leadbus config`."""

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.topics import MIB


class RuntimeSettings(BaseSettings):
    """Limits and times. The defaults are production's; the embedded broker needs none changed."""

    model_config = SettingsConfigDict(env_prefix="LEADBUS_", extra="ignore", frozen=True)

    slots: int | None = Field(default=None, ge=1)
    """Records worked on at the same time; None takes the daemon's own number."""
    window: int = Field(default=2_000, ge=1)
    """Open records of a partition; beyond, it is paused."""
    span: int = Field(default=8_000, ge=1)
    """Records of a partition that may finish behind one that does not; beyond, it is paused."""
    window_bytes: int = Field(default=64 * MIB, ge=1)
    """Bytes of all open records of the process; beyond, everything is paused."""
    overflow_share: float = Field(default=0.5, gt=0, le=1)
    """Part of a partition's window that one tenant may hold; beyond, its records go to the overflow topic."""
    overflow_patience_seconds: float = Field(default=1.0, ge=0)
    """How long a tenant's records must have waited for a slot before that is done: short crowds stay."""
    dead_letter_limit: int = Field(default=10, ge=1)
    """Dead letters of one tenant within `dead_letter_window_seconds` before the tenant is parked."""
    dead_letter_ratio: float = Field(default=0.3, ge=0, le=1)
    """And their part of the tenant's records in that time."""
    dead_letter_window_seconds: float = Field(default=600.0, gt=0)
    dead_letter_pause_seconds: float = Field(default=600.0, gt=0)
    """How long a tenant over the limits is parked before its records are tried again."""
    probation_records: int = Field(default=50, ge=0)
    """Records that a daemon must finish after its start before it may write dead letters; failing ones are held."""
    probation_seconds: float = Field(default=600.0, gt=0)
    """Or the time after which it may, where so few records come; not after a stop by the dead-letter limits."""
    commit_interval_seconds: float = Field(default=1.0, gt=0)
    commit_timeout_seconds: float = Field(default=5.0, gt=0)
    grace_seconds: float = Field(default=7.0, ge=0)
    """How long a stop waits for running handlers: some seconds less than the platform gives (Cloud Run: 10 s)."""
    parting_seconds: float = Field(default=1.0, gt=0)
    """How long a stop waits then for leaving the group, and again for the publisher's flush."""
    session_timeout_ms: int = Field(default=6_000, ge=1_000)
    """After a crash the partitions stay idle this long."""
    heartbeat_interval_ms: int = Field(default=1_000, ge=100)
    rebalance_timeout_ms: int = Field(default=60_000, ge=1_000)
    max_poll_interval_ms: int = Field(default=300_000, ge=1_000)
    """A member that has not polled for so long leaves its group. Handlers do not count, polling never waits for them:
    only a member that is stuck, or was paused, is ended by this."""
    instance_id: str | None = None
    """Opts into static membership; must be unique, or neither of two members can commit."""
    health_host: str = "127.0.0.1"
    health_port: int = Field(default=0, ge=0, le=65_535)
    """0 opens none."""
    watch_interval_seconds: float = Field(default=5.0, gt=0)
    """How often the ends of the logs are looked up, for lag and for what retention removed."""
    stall_loop_seconds: float = Field(default=5.0, gt=0)
    """After so long without a turn of the event loop the stuck detector writes down every thread's stack."""
    quick_tries: int = Field(default=3, ge=1)
    """Calls of a handler in a row before an unexpected error becomes a dead letter."""
    quick_try_wait_seconds: float = Field(default=0.5, ge=0)
    """Wait before the second call; doubles."""
    publish_backoff_seconds: float = Field(default=0.5, gt=0)
    """First wait after a publication that was not acknowledged; doubles up to `publish_backoff_limit_seconds`."""
    publish_backoff_limit_seconds: float = Field(default=15.0, gt=0)
    publish_timeout_ms: int = Field(default=20_000, ge=1_000)
    """How long the producer tries by itself before a publication counts as not acknowledged."""
    give_up_after_seconds: float = Field(default=72 * 3600.0, gt=0)
    """From the first failure to the dead letter, where the handler does not say."""

    @model_validator(mode="after")
    def _heartbeats_fit(self) -> "RuntimeSettings":
        if self.heartbeat_interval_ms * 3 > self.session_timeout_ms:
            raise ValueError("heartbeat_interval_ms must be a third of session_timeout_ms or less")
        return self
