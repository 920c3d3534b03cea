"""Builds what vendors' systems post about invented people: calls, forms, bookings, chats.

Ids are derived from names, so that every run sends the same leads.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from ops.demo.senders import Webhook, calendly, callrail, form, tawk

ROOFING, DENTAL, AGENCY = "summit-roofing", "bright-dental", "northwind-agency"
COMPANIES = {
    ROOFING: ("COM9dc2b4c772648e82af6d2a2853248c46",),
    DENTAL: ("COMf52af077246881cbe255b33bb50b88f2", "COMea01a34bda77ecc65e3e58aa536dca57"),
    AGENCY: ("COMe38ae21249f9ac49c1cdd16136948fa3",),
}
"""The companies of the example tenants in CallRail, as their tenant.yaml name them."""
PROPERTIES = {tenant: hashlib.sha1(tenant.encode(), usedforsecurity=False).hexdigest()[:24] for tenant in COMPANIES}

GONE, NOT_AUDIO = "gone", "not-audio"


class Day:
    """Collects the webhooks of a day in the order they are made."""

    def __init__(self, recordings_url: str, now: datetime) -> None:
        self.recordings_url = recordings_url
        self.now = now
        self.webhooks: list[Webhook] = []
        self.recordings: dict[str, str] = {}

    def call(
        self,
        tenant: str,
        slug: str,
        name: str,
        phone: str,
        *,
        recording: str | None,
        seconds: int = 40,
        company: int = 0,
        events: Sequence[str] = ("pre_call", "routing_complete", "post_call"),
        answered: bool = True,
        source: str = "Google Ads",
    ) -> list[Webhook]:
        call_id = "CAL" + hashlib.md5(f"{tenant}/{slug}".encode(), usedforsecurity=False).hexdigest()
        started = (self.now - timedelta(minutes=5)).isoformat(timespec="milliseconds")
        base = {
            "resource_id": call_id,
            "company_resource_id": COMPANIES[tenant][company],
            "direction": "inbound",
            "customer_name": name.upper(),
            "customer_phone_number": phone,
            "customer_city": "Chicago",
            "customer_state": "IL",
            "tracking_phone_number": "+13125550199",
            "source_name": source,
            "start_time": started,
            "timestamp": started,
            "first_call": True,
        }
        if recording:
            self.recordings[call_id] = recording
        url = f"{self.recordings_url}/v3/a/ACCdemo/calls/{call_id}/recording.json" if recording else None
        ended: dict[str, Any] = {
            "call_type": "inbound" if answered else "missed",
            "answered": answered,
            "voicemail": bool(recording) and not answered,
            "duration": str(seconds),
            "recording_duration": seconds if recording else None,
            "recording": url,
            "tags": [],
            "utm_medium": "cpc",
            "lead_status": None,
        }
        bodies: dict[str, dict[str, Any]] = {
            "pre_call": base | {"answered": False, "voicemail": False, "duration": 0},
            "routing_complete": base | {"business_phone_number": "+13125550100"},
            "post_call": base | ended,
            "call_modified": base | ended | {"tags": ["estimate"], "note": "asked for a visit", "changes": ["tags"]},
        }
        made = [callrail(tenant, event, bodies[event], f"{event} of the call {slug}") for event in events]
        self.webhooks += made
        return made

    def form(self, tenant: str, about: str, **fields: str) -> Webhook:
        nonce = hashlib.md5(f"{tenant}/{about}".encode(), usedforsecurity=False).hexdigest()
        made = form(tenant, {**fields, "_nonce": nonce}, f"form: {about}")
        self.webhooks.append(made)
        return made

    def booking(
        self, tenant: str, slug: str, name: str, email: str, title: str, *, event: str = "invitee.created", **more: Any
    ) -> Webhook:
        stamp = self.now.isoformat().replace("+00:00", "Z")
        starts = "2027-03-04T16:00:00.000000Z"  # ends in a CRM field, so it is the same in every run
        base = f"https://api.calendly.com/scheduled_events/{tenant}-{slug}"
        body = {
            "event": event,
            "created_at": stamp,
            "created_by": f"https://api.calendly.com/users/{tenant}",
            "payload": {
                "uri": f"{base}/invitees/1",
                "email": email,
                "name": name,
                "status": "canceled" if event == "invitee.canceled" else "active",
                "timezone": "America/Chicago",
                "event": base,
                "rescheduled": False,
                "old_invitee": None,
                "new_invitee": None,
                "questions_and_answers": [{"question": "Address?", "answer": "12 Elm St", "position": 0}],
                "tracking": {"utm_source": "google"},
                "scheduled_event": {"uri": base, "name": title, "start_time": starts, "end_time": starts},
                **more,
            },
        }
        made = calendly(tenant, body, f"booking {slug}: {event}", at=int(self.now.timestamp()))
        self.webhooks.append(made)
        return made

    def chat(self, tenant: str, slug: str, lines: Sequence[str], name: str, email: str | None) -> list[Webhook]:
        chat_id = hashlib.md5(f"{tenant}/{slug}".encode(), usedforsecurity=False).hexdigest()
        stamp = self.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        visitor = {"name": name, "city": "chicago", "country": "US"} | ({"email": email} if email else {})
        base = {
            "chatId": chat_id,
            "time": stamp,
            "visitor": visitor,
            "property": {"id": PROPERTIES[tenant], "name": tenant},
        }
        start = base | {
            "event": "chat:start",
            "message": {"text": lines[0], "type": "msg", "sender": {"type": "visitor"}},
        }
        messages = [
            {"sender": {"t": "v" if i % 2 == 0 else "a"}, "type": "msg", "msg": line, "time": stamp}
            for i, line in enumerate(lines)
        ]
        done = base | {
            "event": "chat:transcript_created",
            "chat": {"id": chat_id, "visitor": visitor, "messages": messages},
        }
        made = [
            tawk(tenant, start, f"chat {slug} starts", event_id=f"{chat_id}-start"),
            tawk(tenant, done, f"chat {slug}: transcript", event_id=f"{chat_id}-done"),
        ]
        self.webhooks += made
        return made
