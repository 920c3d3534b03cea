"""What senders post during a soak: an endless stream of invented people who call, write, book and chat.

Everything comes from the seed and the wall clock (signatures carry times). A story is one lead's webhooks with their
distances; now and then the same webhook twice, the same person again, a recording that is gone, a body that is cut
off, a forged signature.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from ops.demo.day import AGENCY, DENTAL, GONE, NOT_AUDIO, ROOFING, Day
from ops.demo.senders import Webhook, callrail, endpoint_key, form

TENANTS = (ROOFING, DENTAL, AGENCY)
RECORDINGS = ("roof-leak", "angry-customer", "seo-spam", "voicemail-short", "dental-implant", "cita-dental")
MESSAGES = (
    "How much is a replacement? We want it done this month.",
    "I need someone today please, water is coming in and the ceiling drips.",
    "This is unacceptable, nobody called me back and I want a refund.",
    "We have a budget of 40,000 and want to start in January. Please send a proposal.",
    "I would like an appointment next week.",
    "Buy backlinks and rank first, guaranteed search results for your business.",
    "May I ask what your opening hours are?",
)
KEPT_PEOPLE = 40


@dataclass(frozen=True, slots=True)
class Story:
    """One lead: what is posted, each so many seconds after the one before, and the recordings it names."""

    posts: tuple[tuple[float, Webhook], ...]
    recordings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Person:
    name: str
    phone: str
    email: str


class Leads:
    """An endless iterator of stories."""

    def __init__(self, chance: Random, recordings_url: str, run: str) -> None:
        """`run` goes into every identity, so that two runs never share a lead."""
        self._chance = chance
        self._url = recordings_url
        self._run = run
        self._number = 0
        self._people: dict[str, list[_Person]] = {tenant: [] for tenant in TENANTS}

    def __iter__(self) -> Iterator[Story]:
        while True:
            yield self.next()

    def next(self) -> Story:
        """The next story, signed now."""
        self._number += 1
        chance, tenant = self._chance, self._chance.choice(TENANTS)
        day = Day(self._url, datetime.now(UTC))
        kind = chance.choices((self._form, self._call, self._booking, self._chat, self._bad), (42, 26, 14, 13, 5))[0]
        kind(day, tenant, f"{self._run}-{self._number}", self._person(tenant))
        posts = [(chance.uniform(0.2, 3.0), webhook) for webhook in day.webhooks]
        if chance.random() < 0.08:
            posts.append((chance.uniform(0.1, 5.0), chance.choice(day.webhooks).again()))
        return Story(tuple(posts), day.recordings)

    def _person(self, tenant: str) -> _Person:
        known = self._people[tenant]
        if known and self._chance.random() < 0.25:
            return self._chance.choice(known)
        number = self._number
        # 555-01xx is set aside for fiction; the area code makes room for more than a hundred people.
        phone = f"+1{self._chance.choice((312, 773, 847, 630, 708))}55501{number % 100:02d}"
        person = _Person(f"Visitor {number}", phone, f"visitor{number}.{self._run}@example.test")
        known.append(person)
        del known[:-KEPT_PEOPLE]
        return person

    def _form(self, day: Day, tenant: str, slug: str, person: _Person) -> None:
        fields = {"name": person.name, "email": person.email, "message": self._chance.choice(MESSAGES)}
        if self._chance.random() < 0.5:
            fields["phone"] = person.phone
        if self._chance.random() < 0.04:
            fields["_gotcha"] = "http://spam.example.test"
        day.form(tenant, slug, **fields)

    def _call(self, day: Day, tenant: str, slug: str, person: _Person) -> None:
        odd = self._chance.random()
        recording = GONE if odd < 0.03 else NOT_AUDIO if odd < 0.06 else self._chance.choice(RECORDINGS)
        events = ["pre_call", "routing_complete", "post_call"]
        if self._chance.random() < 0.3:
            events.append("call_modified")
        company = self._chance.randrange(2) if tenant == DENTAL else 0
        day.call(tenant, slug, person.name, person.phone, recording=recording, events=events, company=company)

    def _booking(self, day: Day, tenant: str, slug: str, person: _Person) -> None:
        day.booking(tenant, slug, person.name, person.email, "A visit")
        if self._chance.random() < 0.3:
            moved = f"https://api.calendly.com/scheduled_events/{tenant}-{slug}-moved/invitees/1"
            old = f"https://api.calendly.com/scheduled_events/{tenant}-{slug}/invitees/1"
            told: dict[str, Any] = {"event": "invitee.canceled", "rescheduled": True, "new_invitee": moved}
            day.booking(tenant, slug, person.name, person.email, "A visit", **told)
            day.booking(tenant, f"{slug}-moved", person.name, person.email, "A visit", old_invitee=old)

    def _chat(self, day: Day, tenant: str, slug: str, person: _Person) -> None:
        lines = ("Hello, is somebody there?", "Yes, how can we help?", self._chance.choice(MESSAGES))
        day.chat(tenant, slug, lines, person.name, person.email)

    def _bad(self, day: Day, tenant: str, slug: str, person: _Person) -> None:
        """What must not get in, and what gets in and cannot be read."""
        which = self._chance.randrange(3)
        body = b'{"resource_id": "CAL' + slug.encode()
        if which == 0:
            forged = callrail(tenant, "post_call", body, f"a forged call event {slug}", secret="0" * 32)
            day.webhooks.append(replace(forged, expect=401))
        elif which == 1:
            made = form(tenant, {"name": person.name, "_nonce": slug}, f"a form for an unknown endpoint {slug}")
            path = "/v1/hooks/form/" + endpoint_key("nobody", "form")
            day.webhooks.append(replace(made, path=path, expect=404))
        else:
            day.webhooks.append(callrail(tenant, "post_call", body, f"an authentic body that is cut off {slug}"))
