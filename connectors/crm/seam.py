"""The seam to the systems that leads are put into: three verbs, and errors named for what the caller can do about them.

    ConnectorError
     ├─ PermanentRefusal    this payload will never work: dead-letter it, others go on
     ├─ Retryable           nothing was written, or writing again is harmless: try later
     ├─ RateLimited         asked to slow down for `delay` seconds; not a failed attempt
     ├─ QuotaSpent          the budget is spent until `until`: pause the connector
     ├─ AuthBroken          the credential is dead: pause the connector, tell the tenant
     ├─ ConfigBroken        mapping, scope, field or plan is wrong: pause the connector, tell the tenant
     └─ EffectUnknown       bytes were sent and no answer came: look it up before anything else

A connector reads the record's present values where a write mode asks for them, and writes in as few calls as the
vendor allows. It keeps no state of its own: what must be remembered goes through `Effects` into the ledger. Error
texts hold the vendor's words, never a credential.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal, Protocol

from schemas.decision import ConnectorKind, FieldWrite, MailWrite


class ConnectorError(Exception):
    """The root; `code` is the vendor's error code or HTTP status, `words` what the vendor said."""

    def __init__(self, words: str, *, code: str = "") -> None:
        super().__init__(f"{code}: {words}" if code else words)
        self.words = words
        self.code = code


class PermanentRefusal(ConnectorError):
    """The vendor will never take this payload."""


class Retryable(ConnectorError):
    """A passing fault; nothing was written, or writing again is harmless."""


class RateLimited(ConnectorError):
    """The vendor asks to slow down; `delay` in seconds, `scope` names the limiter key."""

    def __init__(self, words: str, *, delay: float, scope: str, code: str = "429") -> None:
        super().__init__(words, code=code)
        self.delay = delay
        self.scope = scope


class QuotaSpent(ConnectorError):
    """A daily budget is spent; `until` when it is known."""

    def __init__(self, words: str, *, until: datetime | None = None, code: str = "") -> None:
        super().__init__(words, code=code)
        self.until = until


class AuthBroken(ConnectorError):
    """The credential does not work any more, after one refresh where there is one."""


class ConfigBroken(ConnectorError):
    """Something on the tenant's side is missing: a field, a scope, a plan, a mapping."""


class EffectUnknown(ConnectorError):
    """The request left and no answer came; on an upsert the same as Retryable, elsewhere it must be looked up."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record to write: fields the ledger allows, each with its write mode.

    `ours` maps a field to the hash of the value we wrote last (schemas.codec.digest of the value), for `if_ours`.
    `remote_id` is the vendor's id where the ledger knows it.
    """

    object: str
    external_id: str
    fields: tuple[FieldWrite, ...]
    associate_with: tuple[str, ...] = ()
    ours: Mapping[str, str] = field(default_factory=dict)
    remote_id: str | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What a step asks for, ready to be carried out."""

    order_id: str
    request_id: str
    contact_id: str
    records: tuple[Record, ...] = ()
    mail: MailWrite | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What happened to one record; `fields` are the names really written (none: nothing was left to write)."""

    object: str
    external_id: str
    remote_id: str | None
    created: bool
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delivered:
    """A confirmed effect."""

    written: tuple[Written, ...]
    url: str | None = None

    @property
    def remote_ids(self) -> dict[str, str]:
        """Object to the vendor's id."""
        return {w.object: w.remote_id for w in self.written if w.remote_id}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `validate_connection` found wrong, with what to do about it."""

    code: Literal["auth", "scope", "field", "plan", "account", "unreachable", "sender"]
    text: str
    fix: str


@dataclass(frozen=True, slots=True)
class Validation:
    """Whether leads can be delivered; `account` names the remote account for a person."""

    ok: bool
    account: str | None = None
    findings: tuple[Finding, ...] = ()


class Effects(Protocol):
    """The ledger as a connector without upserts sees it, for one order."""

    @property
    def known(self) -> Mapping[str, str]:
        """Parts (object names) that earlier attempts finished, with their remote ids."""
        ...

    async def sending(self) -> None:
        """Called just before the first byte of the first write; raises when the lease is lost."""
        ...

    async def remember(self, part: str, remote_id: str) -> None:
        """Keeps a remote id before the next part."""
        ...


class CrmConnector(Protocol):
    """One connector of one tenant. Implementations register their kind in `connectors/crm/registry.py`."""

    kind: ClassVar[ConnectorKind]
    upserts: ClassVar[bool]
    """True: writing twice by external id is one effect, so no claim is needed. False: the ledger claims first."""

    async def create_lead(self, work: Work, effects: Effects) -> Delivered:
        """Create or enrich the person and the lead (or send the mail). Raises a `ConnectorError`."""
        ...

    async def update_contact(self, work: Work, effects: Effects) -> Delivered:
        """Write to the person alone. Raises a `ConnectorError`."""
        ...

    async def validate_connection(self) -> Validation:
        """Check credential, account, scopes and fields without writing."""
        ...

    async def reconcile(self, work: Work, effects: Effects) -> Delivered | None:
        """Look up whether an effect of unknown end happened; None when it certainly did not; `EffectUnknown` when
        that cannot be told."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def names(fields: Sequence[FieldWrite]) -> tuple[str, ...]:
    """Names of the fields, in order."""
    return tuple(f.name for f in fields)
