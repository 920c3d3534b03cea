"""The rules half of a tenant's bundle: rules, CRM mappings, lists and pools (`rules/`, `crm/`, `lists/`, `pools/`).

Written by people, so unknown fields are refused. Conditions are JSONLogic over facts; values are paths, never templates
that compute.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from schemas.base import FileModel, Json, Slug
from schemas.decision import OnError, OnUnknown, Write
from schemas.envelope import Phase
from schemas.tenant import FieldPath

Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class FieldMapping(FileModel):
    """Where a remote field gets its value: a path into the facts, or a constant."""

    path: FieldPath | None = None
    value: Json = None
    write: Write = Write.IF_EMPTY

    @model_validator(mode="after")
    def _one_origin(self) -> "FieldMapping":
        if (self.path is None) == (self.value is None):
            raise ValueError("a field needs either `path` (a fact) or `value` (a constant)")
        if self.write is Write.OTHER:
            raise ValueError("`write` is one of on_create, if_empty, if_ours, always")
        return self


class ObjectMapping(FileModel):
    """One remote object of a mapping."""

    identity: Literal["contact", "request"]
    """The person carries `contact_id`; deal, lead, note and task carry `request_id`."""
    fields: dict[str, FieldMapping]
    associate_with: tuple[str, ...] = ()


class CrmFile(FileModel):
    """`crm/<connector>.yaml`: named mappings, each of one or more objects in the order they are written."""

    connector: Slug
    mappings: dict[Slug, dict[str, ObjectMapping]]


class _Step(FileModel):
    id: Slug | None = None
    """Defaults to the step's place in the rule; give one before a rule with live traffic gets new steps."""
    on_error: OnError = OnError.CONTINUE
    on_unknown: OnUnknown = OnUnknown.PARK
    give_up_after_hours: float = Field(default=72.0, gt=0, le=24 * 30)
    expires_minutes: float | None = Field(default=None, gt=0)


class CreateLead(_Step):
    """Creates or enriches the person and the lead in a CRM."""

    do: Literal["create_lead"]
    connector: Slug
    mapping: Slug


class UpdateContact(_Step):
    """Writes to the person alone."""

    do: Literal["update_contact"]
    connector: Slug
    mapping: Slug


class MailLine(FileModel):
    """One line of a mail: a label, and the fact that stands after it; without a value the line is left out."""

    label: Text
    path: FieldPath


class Mail(_Step):
    """Sends one mail for the request, however many revisions it has."""

    do: Literal["mail"]
    connector: Slug
    to: tuple[str, ...] = Field(min_length=1)
    """Addresses, or paths such as `office.mailbox`."""
    subject: Text
    lines: tuple[MailLine, ...]
    """A list, because the order of keys does not survive storing."""
    reply_to: FieldPath | None = None


class Assign(_Step):
    """Draws a member of a pool; later steps read it as `assigned.<pool>`."""

    do: Literal["assign"]
    pool: str
    """A pool's name, or `office.pool`."""


class Tag(_Step):
    """Adds tags to the decision."""

    do: Literal["tag"]
    tags: tuple[Slug, ...] = Field(min_length=1)


class Hold(_Step):
    """Parks the lead for a person to look at."""

    do: Literal["hold"]
    reason: Text


class Drop(_Step):
    """Ends the phase without an effect; the outcome is `filtered`, with this reason."""

    do: Literal["drop"]
    reason: Text


Step = Annotated[CreateLead | UpdateContact | Mail | Assign | Tag | Hold | Drop, Field(discriminator="do")]


class Rule(FileModel):
    """One rule: when the facts meet the condition, its steps are taken."""

    id: Slug
    title: Text
    why: Text
    """Said to whoever asks why a lead went where it went."""
    phase: Phase = Phase.ANALYZED
    kinds: tuple[str, ...] = ()
    """Communication modes or event kinds the rule is for; empty for all."""
    when: dict[str, Any] | bool
    then: tuple[Step, ...] = Field(min_length=1)
    priority: int = 0
    """Higher ones are tried first; equal ones in the order of the files."""
    fallback: bool = False
    mode: Literal["live", "shadow"] = "live"
    on_error: Literal["skip", "hold"] = "skip"
    """When the condition cannot be evaluated: as if it did not match, or the lead waits for a person."""
    owner: str | None = None
    sla_minutes: float | None = Field(default=None, gt=0)
    valid_from: datetime | None = Field(default=None, alias="from")
    valid_until: datetime | None = Field(default=None, alias="until")


class RuleFile(FileModel):
    """`rules/*.rules.yaml` (or .json)."""

    rules: tuple[Rule, ...]


class PoolMember(FileModel):
    """Someone, or something, that leads are given to."""

    id: str
    weight: int = Field(default=1, ge=1, le=1000)


class PoolFile(FileModel):
    """`pools/*.yaml`."""

    pool: Slug
    members: tuple[PoolMember, ...] = Field(min_length=1)


class RulesBundle(FileModel):
    """Everything that decides, as routing loads it. Rules stand in the order they are tried."""

    tenant: Slug
    rules: tuple[Rule, ...]
    crm: dict[Slug, CrmFile] = Field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    pools: dict[Slug, PoolFile] = Field(default_factory=dict)
