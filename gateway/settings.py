"""The gateway's own settings, from `LEADBUS_GATEWAY_*`; what it connects to is in connectors.settings."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class GatewaySettings(BaseSettings):
    """Where it listens and how long it waits; times in seconds."""

    model_config = SettingsConfigDict(env_prefix="LEADBUS_GATEWAY_", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    backlog: int = Field(default=1024, ge=128)
    header_seconds: float = Field(default=10.0, ge=1.0)
    """For the request line and headers to arrive."""
    body_seconds: float = Field(default=10.0, gt=0)
    """For the whole body to arrive."""
    poll_seconds: float = Field(default=2.0, gt=0)
    """Between two looks at which bundles are live."""
    unready_seconds: float = Field(default=0.5, ge=0)
    """After SIGTERM: how long `/readyz` says no before new connections are refused."""
    drain_seconds: float = Field(default=10.0, gt=0)
    """After SIGTERM: how long requests under way may take."""
    public_url: str = ""
    """What vendors call the gateway by, up to the path (`https://hooks.example.com`): some of them sign it."""
    log_level: str = "info"
