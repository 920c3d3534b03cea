"""The two kinds of models in this room, and enumerations that survive the future.

Documents travel between daemons of different versions, so `Section` keeps unknown fields and an `OpenEnum` reads an
unknown value as `other`. Files are written by people, so `FileModel` refuses unknown fields: a typo must be an error.
"""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

Id = Annotated[str, StringConstraints(min_length=36, max_length=36, pattern=r"^[0-9a-f-]{36}$")]
"""A UUID in its 36-character lower-case text form."""

Slug = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
"""A name a person chose for a tenant, office, endpoint, connector, rule, pool or list."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 digest, lower-case hexadecimal."""

SecretRef = Annotated[str, StringConstraints(pattern=r"^secret://[A-Z][A-Z0-9_]{0,63}$")]
"""The only form in which a file of a tenant may name a secret."""

Moment = AwareDatetime
"""An instant; naive times are refused."""

Json = Any
"""A JSON value."""


class Section(BaseModel):
    """A part of a travelling document: unknown fields are kept, never refused."""

    model_config = ConfigDict(extra="allow", frozen=True, ser_json_inf_nan="null")


class FileModel(BaseModel):
    """A part of a file that a person edits: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OpenEnum(StrEnum):
    """An enumeration whose unknown values read as `other`; every subclass has a member OTHER."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls("other") if isinstance(value, str) and value != "other" else None
