"""What vendors' systems post: bodies, headers and signatures as each vendor makes them.

Pure: nothing is sent from here. The bytes of a body are fixed before they are signed.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Webhook:
    """One POST. `expect` is the status it should get; `about` says what it is, for a person."""

    tenant: str
    source: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    about: str
    expect: int = 202
    duplicate: bool = False

    def again(self) -> "Webhook":
        """The same bytes a second time, as vendors that retry do."""
        return replace(self, about=f"{self.about} (sent again)", duplicate=True)


def endpoint_key(tenant: str, endpoint: str) -> str:
    """The endpoint keys of the example tenants; their tenant.yaml knows the SHA-256 of each."""
    return f"demo-{tenant}-{endpoint}-0123456789abcdef0123456789abcdef"


def signing_secret(tenant: str, name: str) -> str:
    """The signing secrets of the example tenants, 32 hexadecimal characters each."""
    return hashlib.sha256(f"demo signing secret of {tenant} for {name}".encode()).hexdigest()[:32]


def callrail(
    tenant: str, event: str, body: Mapping[str, Any] | bytes, about: str, *, secret: str | None = None
) -> Webhook:
    """HMAC-SHA1 over the raw body, base64, in `Signature`; bytes are sent as they are."""
    raw = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    key = secret or signing_secret(tenant, "CALLRAIL_SIGNING_KEY")
    digest = hmac.new(key.encode(), raw, hashlib.sha1).digest()
    return Webhook(
        tenant=tenant,
        source="callrail",
        path=f"/v1/hooks/callrail/{endpoint_key(tenant, 'callrail')}/{event}",
        headers={"Content-Type": "application/json", "Signature": base64.b64encode(digest).decode()},
        body=raw,
        about=about,
    )


def calendly(tenant: str, body: Mapping[str, Any], about: str, *, at: int) -> Webhook:
    """`t=…,v1=` hex HMAC-SHA256 over time, dot and body; `at` in unix seconds."""
    raw = json.dumps(body, separators=(",", ":")).encode()
    key = signing_secret(tenant, "CALENDLY_SIGNING_KEY").encode()
    digest = hmac.new(key, f"{at}.".encode() + raw, hashlib.sha256).hexdigest()
    return Webhook(
        tenant=tenant,
        source="calendly",
        path=f"/v1/hooks/calendly/{endpoint_key(tenant, 'calendly')}",
        headers={"Content-Type": "application/json", "Calendly-Webhook-Signature": f"t={at},v1={digest}"},
        body=raw,
        about=about,
    )


def tawk(tenant: str, body: Mapping[str, Any], about: str, *, event_id: str) -> Webhook:
    """Hex HMAC-SHA1 over the raw body in `X-Tawk-Signature`, the event's id in `X-Hook-Event-Id`."""
    raw = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    key = signing_secret(tenant, "TAWK_SECRET").encode()
    return Webhook(
        tenant=tenant,
        source="tawk",
        path=f"/v1/hooks/tawk/{endpoint_key(tenant, 'tawk')}",
        headers={
            "Content-Type": "application/json",
            "X-Tawk-Signature": hmac.new(key, raw, hashlib.sha1).hexdigest(),
            "X-Hook-Event-Id": event_id,
        },
        body=raw,
        about=about,
    )


def form(tenant: str, fields: Mapping[str, str], about: str) -> Webhook:
    """A browser's plain form post: unsigned, urlencoded."""
    return Webhook(
        tenant=tenant,
        source="form",
        path=f"/v1/hooks/form/{endpoint_key(tenant, 'form')}",
        headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
        body=urlencode(fields).encode(),
        about=about,
    )
