"""Where the API listens and who may read: `LEADBUS_API_*` variables."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ApiSettings(BaseSettings):
    """The API's own settings."""

    model_config = SettingsConfigDict(env_prefix="LEADBUS_API_", extra="ignore", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8090, ge=1, le=65_535)
    tokens_file: Path | None = None
    """JSON of tokens by SHA-256 (ops/api/tokens.py); without it nobody can read."""
