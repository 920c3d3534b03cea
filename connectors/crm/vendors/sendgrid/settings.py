"""What a tenant may set for an e-mail connector."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.base import FileModel

Address = Annotated[str, StringConstraints(pattern=r"^[^@\s<>\"',;]+@[^@\s<>\"',;]+\.[^@\s<>\"',;]+$", max_length=254)]


class SendGridSettings(FileModel):
    """`settings:` of a connector with `kind: email`; the secret is an API key with the scope `mail.send`."""

    sender: Address = Field(alias="from")
    """A verified sender, or an address of an authenticated domain."""
    from_name: Annotated[str, StringConstraints(max_length=100)] = ""
    region: Literal["global", "eu"] = "global"
    """Where the account lives."""
    sandbox_mode: bool = False
    """SendGrid checks the mails and sends none."""
