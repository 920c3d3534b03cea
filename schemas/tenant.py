"""The intake half of a bundle: offices, endpoints, connectors, secret names, limits (`tenant.yaml`, `offices.*`).

Written by people, so unknown fields are refused. Secrets appear by reference only.
"""

from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, StringConstraints, field_validator, model_validator

from schemas.base import FileModel, Json, SecretRef, Sha256, Slug
from schemas.decision import ConnectorKind

FieldPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w-]*(\.[\w \-\[\]:]+)*$", max_length=200)]
"""A dotted path into a body or a document: names only, nothing that computes."""


class OfficeBy(FileModel):
    """Finds the office of an event by a value of its body."""

    path: FieldPath
    offices: dict[str, Slug]
    """Value in the body to office id; a value that is not listed leaves the endpoint's own office."""


class Signing(FileModel):
    """How a sender signs, for endpoints of the source `generic`; the same words as in the sources' own schemes."""

    header: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: Annotated[str, StringConstraints(max_length=32)] = ""
    """Literal text before the digest, such as `sha256=`."""
    template: Annotated[str, StringConstraints(max_length=200)] = "{body}"
    """The signed text: `{body}`, `{header:NAME}`, `{pair:NAME}` and literal text."""
    digest_pair: str | None = None
    """The name of the digest, where the header is written as `t=…,v1=…`."""
    timestamp: str | None = None
    """Where the time of signing is: `header:NAME` or `pair:NAME`."""
    timestamp_unit: Literal["s", "ms", "iso"] = "s"
    tolerance_seconds: float | None = Field(default=None, gt=0, le=86_400)

    @field_validator("template")
    @classmethod
    def _body_is_signed(cls, template: str) -> str:
        if "{body}" not in template:
            raise ValueError("the template must hold {body}: a signature that leaves it out proves nothing about it")
        return template


class Reads(FileModel):
    """Where a body of the source `generic` tells what it is; paths into a JSON object or a form."""

    thing: FieldPath
    """The sender's id of what the event is about: one request."""
    event: FieldPath | None = None
    """The sender's id of the event; without it the body's content is."""
    occurred_at: FieldPath | None = None
    """ISO 8601, or seconds or milliseconds since 1970."""
    sequence: FieldPath | None = None
    """A number that grows with each event of a request; without it `occurred_at` orders them."""
    mode: Literal["form", "calendar", "chat"] = "form"


class Fetch(FileModel):
    """How the rest of an event is fetched from a vendor that sends ids only."""

    secret: SecretRef
    """The tenant's API token at the vendor."""
    account: Annotated[str, StringConstraints(max_length=128)] | None = None
    """The user, account or subdomain that goes with the token, where the vendor has one."""


class Captcha(FileModel):
    """The check that a person filled in a public form."""

    kind: Literal["turnstile", "hcaptcha"]
    secret: SecretRef


class FormLimits(FileModel):
    """How many posts a public form takes a minute."""

    per_address: int = Field(default=10, ge=1)
    per_form: int = Field(default=120, ge=1)


class Endpoint(FileModel):
    """One URL of the gateway. The key that is part of it is known here by its SHA-256 only."""

    id: Slug
    source: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    key_sha256: Sha256
    secrets: tuple[SecretRef, ...] = Field(default=(), max_length=2)
    """Signing secrets, newest first; two live ones make a rotation without a gap."""
    overlap_until: datetime | None = None
    """From then on the older of two secrets is refused; without it both hold until one is taken out."""
    signing: Signing | None = None
    """Of the source `generic`: how its sender signs."""
    reads: Reads | None = None
    """Of the source `generic`: what in its bodies is what."""
    fetch: Fetch | None = None
    """Of sources that send ids only."""
    captcha: Captcha | None = None
    form_limits: FormLimits = FormLimits()
    office: Slug | None = None
    office_by: OfficeBy | None = None
    company: str | None = None
    """The vendor's name of this tenant (CallRail company, tawk.to property): a body that names another is refused."""
    fields: dict[str, FieldPath] = Field(default_factory=dict)
    """Lead field (or `custom.name`) to the vendor's field; the rest stays in `lead.extra`."""
    allowed_origins: tuple[str, ...] = ()
    redirect_to: str | None = None
    """Where a browser is sent after posting a public form."""
    test: bool = False
    enabled: bool = True


class Connector(FileModel):
    """One system that this tenant's leads go to."""

    id: Slug
    kind: ConnectorKind
    mode: Literal["live", "record"] = "live"
    """`record` keeps what would have been sent and sends nothing."""
    accept_test: bool = False
    secret: SecretRef | None = None
    settings: dict[str, Json] = Field(default_factory=dict)
    """Described with each connector: instance URL, sender, pipeline."""

    @field_validator("kind")
    @classmethod
    def _kind_is_known(cls, kind: ConnectorKind) -> ConnectorKind:
        if kind is ConnectorKind.OTHER:
            known = ", ".join(k.value for k in ConnectorKind if k is not ConnectorKind.OTHER)
            raise ValueError(f"unknown connector kind; known are {known}")
        return kind


class Office(FileModel):
    """One place of business."""

    id: Slug
    name: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    time_zone: str = "UTC"
    region: str | None = None
    callrail_company_id: str | None = None
    callrail_api_key: SecretRef | None = None
    mailbox: str | None = None
    pool: Slug | None = None
    crm_owner: str | None = None
    values: dict[str, Json] = Field(default_factory=dict)
    """The tenant's own values, read in rules as `office.values.*`."""

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"unknown time zone {zone!r}; use an IANA name such as America/Chicago") from error
        return zone


class Limits(FileModel):
    """What a tenant may use; beyond it a vendor's events wait, and public forms are told to come back."""

    requests_per_second: float = Field(default=50.0, gt=0)
    burst: int = Field(default=100, ge=1)
    llm_tokens_per_minute: int = Field(default=200_000, ge=0)
    budget_usd_per_day: float = Field(default=50.0, ge=0)


class Recordings(FileModel):
    """How call recordings are fetched."""

    secret: SecretRef | None = None
    hosts: tuple[str, ...] = ("api.callrail.com", "app.callrail.com")
    """The only hosts that recordings are fetched from."""
    max_seconds: float = 4 * 3600
    channels: tuple[str, ...] = ()
    """Who speaks on each channel, in order (agent, caller); without it speakers are named by channel or label."""


class Privacy(FileModel):
    """How careful the tenant must be."""

    data_class: Literal["standard", "health"] = "standard"
    keep_days: int = Field(default=730, ge=1)


class Ai(FileModel):
    """What the models are told and allowed for this tenant."""

    about: str = ""
    """One or two sentences on the business, for the scoring prompt."""
    embedding_enabled: bool = True
    thinking_budget: int | None = Field(default=None, ge=0)
    languages: tuple[str, ...] = ("auto",)


class TenantFile(FileModel):
    """`tenant.yaml`."""

    tenant: Slug
    name: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    status: Literal["active", "suspended"] = "active"
    isolation_level: Literal["shared", "dedicated"] = "shared"
    graph_features_enabled: bool = False
    endpoints: tuple[Endpoint, ...]
    connectors: tuple[Connector, ...]
    recordings: Recordings = Recordings()
    ai: Ai = Ai()
    limits: Limits = Limits()
    privacy: Privacy = Privacy()
    notify: tuple[str, ...] = ()


class IntakeBundle(TenantFile):
    """`tenant.yaml` and the offices together, as gateway and daemons load it."""

    offices: tuple[Office, ...]

    @model_validator(mode="after")
    def _names_fit_together(self) -> "IntakeBundle":
        for kind, ids in (
            ("office", [o.id for o in self.offices]),
            ("endpoint", [e.id for e in self.endpoints]),
            ("connector", [c.id for c in self.connectors]),
        ):
            doubled = {i for i in ids if ids.count(i) > 1}
            if doubled:
                raise ValueError(f"{kind} ids must differ; {', '.join(sorted(doubled))} stands more than once")
        offices = {o.id for o in self.offices}
        for endpoint in self.endpoints:
            named = {endpoint.office} if endpoint.office else set()
            named |= set(endpoint.office_by.offices.values()) if endpoint.office_by else set()
            if missing := named - offices:
                raise ValueError(f"endpoint {endpoint.id} names unknown office {', '.join(sorted(missing))}")
        return self

    def office(self, office_id: str | None) -> Office | None:
        """The office of that id."""
        return next((o for o in self.offices if o.id == office_id), None)

    def connector(self, connector_id: str) -> Connector | None:
        """The connector of that id."""
        return next((c for c in self.connectors if c.id == connector_id), None)

    def endpoint(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint of that id."""
        return next((e for e in self.endpoints if e.id == endpoint_id), None)
