"""Every fact that a rule or a mapping may read: its path, type, phase and an example.

The catalogue is what `check` compares paths with and what people look names up in. It and `facts` say the same
(a test compares them). Types: text, number, boolean, time (ISO 8601 in UTC, as text), list, object. Facts of phase
`analyzed` are null in rules of phase `received`; lists are empty then, never null.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from schemas.envelope import Phase
from schemas.tenant import IntakeBundle

FactType = Literal["text", "number", "boolean", "time", "list", "object"]

OPEN = ("lead.custom", "lead.extra", "office.values")
"""Objects whose names are the tenant's or the vendor's; a name without a value reads as null."""


@dataclass(frozen=True, slots=True)
class FactPath:
    """One fact."""

    path: str
    type: FactType
    phase: Phase
    example: str


_TABLE = """
tenant.id                   text     summit-roofing
event.id                    text     0b6f1c5e-6c0e-5b64-9d3c-0e3f5f1c2a11
event.request_id            text     5d2f6a34-9c1b-5d05-8a0e-6f3f4b1c7e22
event.contact_id            text     91c7b0de-1f7a-5c2e-b6c4-2d9c8f7b3a33
event.replaces              text     5d2f6a34-9c1b-5d05-8a0e-6f3f4b1c7e21
event.kind                  text     post_call
event.source                text     callrail
event.endpoint              text     callrail
event.mode                  text     phone_call
event.time                  time     2026-03-02T15:14:22Z
event.received_at           time     2026-03-02T15:15:04Z
event.test                  boolean  false
event.interim               boolean  false
lead.name                   text     Zoe Marchand
lead.first_name             text     Zoe
lead.last_name              text     Marchand
lead.given_name             text     Zoe
lead.family_name            text     Marchand
lead.display_name           text     Zoe Marchand
lead.last_name_or_unknown   text     Marchand
lead.title                  text     Phone call: Zoe Marchand
lead.email                  text     zoe@example.test
lead.phone                  text     +13125550142
lead.company                text     Marchand Bakery
lead.message                text     Water comes through the ceiling
lead.street                 text     12 Lake Street
lead.city                   text     Chicago
lead.region                 text     IL
lead.postal_code            text     60601
lead.country                text     US
lead.language               text     en
lead.attribution.source     text     google
lead.attribution.medium     text     cpc
lead.attribution.campaign   text     storm-damage
lead.attribution.term       text     roof repair
lead.attribution.content    text     banner-2
lead.attribution.click_id   text     Cj0example
lead.attribution.landing_page text   https://summit.example.test/
lead.attribution.referrer   text     https://www.example.test/
lead.consent                list     [{"channel": "sms", "state": "given"}]
lead.spam.honeypot          boolean  false
lead.custom                 object   {"roof_age": 20}
lead.extra                  object   {"utm_id": "7"}
content.text                text     Water comes through the ceiling
call.call_id                text     CAL5f0c2b7e9a1d4c3f8e6b7a2d1c0f9e8d
call.direction              text     inbound
call.answered               boolean  true
call.voicemail              boolean  false
call.first_call             boolean  true
call.duration_seconds       number   41
call.recording_url          text     https://api.callrail.com/v3/a/1/calls/2/recording.json
call.tracking_number        text     +13125550199
call.tags                   list     ["storm"]
call.note                   text     asked for a call back
call.spam                   boolean  false
call.started_at             time     2026-03-02T15:14:22Z
booking.booking_id          text     EV1
booking.status              text     scheduled
booking.title               text     Roof inspection
booking.starts_at           time     2026-03-05T16:00:00Z
booking.ends_at             time     2026-03-05T16:30:00Z
booking.time_zone           text     America/Chicago
booking.cancel_reason       text     found another date
chat.chat_id                text     CH1
chat.messages               list     [{"by": "visitor", "text": "Hello"}]
chat.page                   text     https://summit.example.test/pricing
email.domain                text     example.test
email.free                  boolean  false
email.disposable            boolean  false
email.role                  boolean  false
phone.country               text     US
phone.type                  text     mobile
phone.valid                 boolean  true
office.id                   text     downtown
office.name                 text     Bright Dental Downtown
office.time_zone            text     America/Chicago
office.region               text     midwest
office.mailbox              text     downtown@bright-dental.example.test
office.pool                 text     downtown
office.crm_owner            text     005xx0000012345
office.values               object   {"city": "Chicago"}
clock.weekday               number   1
clock.day                   text     monday
clock.date                  text     2026-03-02
clock.time                  text     09:14
clock.minutes               number   554
clock.zone                  text     America/Chicago
"""

_ANALYZED_TABLE = """
transcript.state            text     done
transcript.reason           text     no_recording
transcript.text             text     My ceiling is dripping
transcript.language         text     en-US
transcript.confidence       number   0.93
transcript.audio_seconds    number   33.2
analysis.state              text     done
analysis.reason             text     blocked
analysis.lead_score         number   86
analysis.spam_likelihood    number   0.02
analysis.sentiment          text     negative
analysis.sentiment_score    number   -0.4
analysis.confidence         number   0.9
analysis.intent             text     repair
analysis.service            text     roof repair
analysis.urgency            text     high
analysis.summary            text     Ceiling leaks after the storm, wants someone today.
analysis.language           text     en
analysis.tags               list     ["leak", "storm"]
analysis.reasons            list     ["asks for a visit today"]
analysis.model              text     gemini-2.5-flash
"""


def catalogue(intake: IntakeBundle | None = None) -> dict[str, FactPath]:
    """All facts by path; with a tenant's own fields and office values when its intake half is given."""
    found = {f.path: f for f in _rows(_TABLE, Phase.RECEIVED)} | {
        f.path: f for f in _rows(_ANALYZED_TABLE, Phase.ANALYZED)
    }
    for path in sorted(own_paths(intake)) if intake else ():
        found[path] = FactPath(path, "object", Phase.RECEIVED, "")
    return found


def own_paths(intake: IntakeBundle) -> set[str]:
    """The tenant's own names: `lead.custom.*` that an endpoint fills, `office.values.*` that an office has."""
    custom = {f"lead.{field}" for e in intake.endpoints for field in e.fields if field.startswith("custom.")}
    return custom | {f"office.values.{name}" for office in intake.offices for name in office.values}


def known(path: str, facts: dict[str, FactPath]) -> FactPath | None:
    """The fact that a path reads: itself, an item of a list, or a name in `lead.extra`."""
    if found := facts.get(path):
        return found
    parts = path.split(".")
    for length in range(len(parts) - 1, 0, -1):
        if (found := facts.get(".".join(parts[:length]))) is None:
            continue
        if found.type == "list" or found.path == "lead.extra" or (found.type == "object" and found.path not in OPEN):
            return found
        return None
    return None


def did_you_mean(path: str, facts: dict[str, FactPath]) -> str:
    """A sentence that names the nearest path, or where to look."""
    last = path.rsplit(".", 1)[-1]
    same_name = [p for p in facts if p.rsplit(".", 1)[-1] == last]
    near = get_close_matches(path, facts, n=1, cutoff=0.75) or same_name[:1] or get_close_matches(path, facts, n=1)
    return f"Did you mean `{near[0]}`?" if near else "See the list of facts: lead, event, call, office, analysis, …"


def _rows(table: str, phase: Phase) -> Iterator[FactPath]:
    for line in table.strip().splitlines():
        path, kind, example = line.split(None, 2)
        yield FactPath(path, kind, phase, example)  # type: ignore[arg-type]
