"""What a tenant may set for a Pipedrive connector."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator

from schemas.base import FileModel


class PipedriveSettings(FileModel):
    """`settings:` of a connector with `kind: pipedrive`; the secret is an API token, or an OAuth access token.

    Persons need a text field that holds our contact id; mappings name custom fields by the names that people see.
    """

    company_url: str
    """The company's own address, such as https://acme.pipedrive.com."""
    company_id: int | None = Field(default=None, ge=1)
    """The company that the token must belong to."""
    auth: Literal["token", "oauth"] = "token"
    contact_field: str = "leadbus contact id"
    """Name of the persons' text field that holds our contact id."""
    lead_title: Annotated[str, StringConstraints(min_length=1, max_length=255)] = "New lead"
    """Title of a new lead whose mapping gives none."""
    person_name: Annotated[str, StringConstraints(min_length=1, max_length=255)] = "Unknown"
    """Name of a new person of whom neither name, number nor address is known."""
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "USD"
    """Of a lead's `value` that is a bare number."""

    @field_validator("company_url")
    @classmethod
    def _is_a_company(cls, url: str) -> str:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").lower()
        # The token goes there: an address of anybody else would be given the key to the company.
        plain = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username or parts.port)
        if parts.scheme != "https" or not plain or not host.endswith(".pipedrive.com"):
            raise ValueError("must be the company's own address, such as https://acme.pipedrive.com")
        return f"https://{host}"
