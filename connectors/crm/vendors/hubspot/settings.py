"""What a tenant may set for a HubSpot connector."""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, StringConstraints, field_validator

from schemas.base import FileModel

PropertyName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,99}$")]


class HubSpotSettings(FileModel):
    """`settings:` of a connector with `kind: hubspot`; the secret is a private app's or service key's access token.

    The two key properties must exist in the portal as text with unique values (`hasUniqueValue`).
    """

    portal_id: int | None = Field(default=None, ge=1)
    """The account that the token must belong to; also makes links to the records."""
    contact_key: PropertyName = "leadbus_contact_id"
    request_key: PropertyName = "leadbus_request_id"
    pipeline: str | None = None
    """Of new deals, unless the mapping names one."""
    dealstage: str | None = None
    """Of new deals, unless the mapping names one."""
    objects: tuple[Literal["contact", "deal", "note", "task", "ticket"], ...] = ("contact", "deal", "note")
    """Objects whose key property `validate_connection` looks for."""
    time_zone: str | None = None
    """The account's zone: a spent daily limit comes back at its midnight."""

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, zone: str | None) -> str | None:
        if zone is not None:
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, OSError, ValueError) as error:
                raise ValueError("unknown time zone; use an IANA name such as America/Chicago") from error
        return zone
