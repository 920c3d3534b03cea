"""What a lead says of itself, in one vocabulary for every source.

A normalizer fills it from a vendor's body; rules read it as `lead.*`. Fields the vendor did not send are null. What no
field fits stays in `extra` under the vendor's own name. Ids, zips and phones are always text, never numbers.
"""

from typing import Literal

from pydantic import Field

from schemas.base import Json, Moment, OpenEnum, Section


class Mode(OpenEnum):
    """How the person got in touch (column `communication_mode`)."""

    PHONE_CALL = "phone_call"
    FORM = "form"
    CALENDAR = "calendar"
    CHAT = "chat"
    OTHER = "other"


class ConsentState(OpenEnum):
    """What the person said about being contacted over a channel."""

    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"
    OTHER = "other"


class Consent(Section):
    """One statement about one channel, with its proof."""

    channel: str
    """email, phone, sms, or the channel's own name."""
    state: ConsentState
    text: str | None = None
    """The words the person agreed to."""
    time: Moment | None = None
    proof: str | None = None
    """Where the statement can be seen: a form's URL, a call's id."""


class Attribution(Section):
    """Where the person came from."""

    source: str | None = None
    medium: str | None = None
    campaign: str | None = None
    term: str | None = None
    content: str | None = None
    click_id: str | None = None
    landing_page: str | None = None
    referrer: str | None = None


class Call(Section):
    """Facts of a phone call or text message."""

    call_id: str
    direction: Literal["inbound", "outbound"] | str | None = None
    answered: bool | None = None
    voicemail: bool | None = None
    first_call: bool | None = None
    duration_seconds: float | None = None
    recording_url: str | None = None
    tracking_number: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None
    spam: bool | None = None
    started_at: Moment | None = None


class Booking(Section):
    """Facts of a calendar booking."""

    booking_id: str
    status: str | None = None
    """scheduled, canceled, no_show, or the vendor's word."""
    title: str | None = None
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    time_zone: str | None = None
    cancel_reason: str | None = None


class ChatMessage(Section):
    """One line of a chat."""

    by: str
    """visitor, agent or system."""
    text: str
    at: Moment | None = None


class Chat(Section):
    """Facts of a chat."""

    chat_id: str
    messages: tuple[ChatMessage, ...] = ()
    page: str | None = None


class SpamSigns(Section):
    """Signs of spam seen at the gateway, before any analysis."""

    honeypot: bool = False


class Lead(Section):
    """The person and what they want, as far as this event tells."""

    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    """Normalized: lower case, no blanks."""
    phone: str | None = None
    """E.164 where it can be parsed."""
    company: str | None = None
    message: str | None = None
    street: str | None = None
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country: str | None = None
    language: str | None = None
    attribution: Attribution = Attribution()
    consent: tuple[Consent, ...] = ()
    call: Call | None = None
    booking: Booking | None = None
    chat: Chat | None = None
    spam: SpamSigns = SpamSigns()
    custom: dict[str, Json] = Field(default_factory=dict)
    extra: dict[str, Json] = Field(default_factory=dict)
