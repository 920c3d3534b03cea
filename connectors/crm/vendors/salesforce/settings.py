"""What a tenant may set for a Salesforce connector."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import StringConstraints, field_validator

from schemas.base import FileModel

FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}__c$")]
_DOMAINS = (".salesforce.com", ".force.com", ".salesforce.mil", ".sfcrmproducts.cn")


class SalesforceSettings(FileModel):
    """`settings:` of a connector with `kind: salesforce`; the secret is a session's access token.

    The key fields must exist as External ID and Unique: on Lead (and Contact) for the person, on Task for the request.
    """

    instance_url: str
    """The org's own address, such as https://acme.my.salesforce.com."""
    api_version: Annotated[str, StringConstraints(pattern=r"^[4-9]\d\.0$")] = "62.0"
    contact_key: FieldName = "Leadbus_Contact_Id__c"
    request_key: FieldName = "Leadbus_Request_Id__c"
    company: str = "Unknown"
    """Company of a new lead whose mapping gives none: Salesforce takes no lead without."""
    last_name: str = "Unknown"
    """LastName of a new lead or contact whose mapping gives none."""
    duplicates: Literal["refuse", "allow"] = "refuse"
    """When the org's duplicate rules object to a new record: give up with their words, or save it all the same."""
    assign: bool = False
    """Whether new leads go through the org's assignment rules."""
    objects: tuple[Literal["lead", "contact", "task"], ...] = ("lead", "task")
    """Objects whose key field `validate_connection` looks for."""

    @field_validator("instance_url")
    @classmethod
    def _is_an_org(cls, url: str) -> str:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").lower()
        # The access token goes there: an address of anybody else would be given the key to the org.
        plain = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username or parts.port)
        if parts.scheme != "https" or not plain or not host.endswith(_DOMAINS):
            raise ValueError("must be the org's own address, such as https://acme.my.salesforce.com")
        return f"https://{host}"
