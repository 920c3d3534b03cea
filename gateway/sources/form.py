"""The plain HTML form of a website: urlencoded, multipart without files, or JSON. Nobody signs it.

A browser keeps no secret, so the endpoint key alone says whose form it is. A filled honeypot (`_gotcha`) gets the same
answer as everybody else and marks the lead. Names that begin with an underscore, and captcha tokens, steer the gateway
and are never part of the lead.

Browsers do not retry but people click twice: a submission is known by a hidden nonce made for each page (`_nonce`),
else by the endpoint, its fields and the minute of receipt. Consent is told by `consent_email`, `consent_phone` or
`consent_sms`, with the words agreed to in `consent_…_text`. Refused: a file, a form without a filled field.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.reading.names import attribution_of, lead_of
from connectors.reading.text import flag_of, text_of
from gateway.reading.bodies import read_object
from gateway.sources.seam import EventKind, Hook, Normalized, Refused, Sample, Source, Unreadable
from schemas import codec
from schemas.lead import Mode

KIND = "form_submission"
HONEYPOT = "_gotcha"
NONCE = "_nonce"
WINDOW_SECONDS = 60
_TOKENS = frozenset(("cf-turnstile-response", "h-captcha-response", "g-recaptcha-response", "form-name"))
_CONSENT = "consent_"
_TICKED = frozenset(("on", "given", "agree", "agreed", "y"))


def normalize(hook: Hook) -> Sequence[Normalized]:
    """The one submission of a form."""
    if hook.event not in (None, KIND):
        raise Unreadable("unknown_event")
    if not hook.body.strip():
        raise Refused("form_empty", "The form has no field with a value.")
    sent = read_object(hook.body, hook.content_type)
    fields = {name: value for name, value in sent.items() if not name.startswith("_") and name not in _TOKENS}
    if not any(value not in (None, "", []) for value in fields.values()):
        raise Refused("form_empty", "The form has no field with a value.")
    lead, used = lead_of(fields)
    lead["attribution"], from_where = attribution_of(fields)
    lead["consent"], agreed = _consent(fields, hook)
    if text_of(sent.get(HONEYPOT)) is not None:
        lead["spam"] = {"honeypot": True}
    identity = _identity(hook, sent, fields)
    return [
        Normalized(
            event_kind=KIND,
            vendor_event=identity,
            vendor_thing=identity,
            mode=Mode.FORM,
            lead=lead,
            rank=10,
            occurred_at=hook.received_at,
            fields=fields,
            taken=frozenset(used | from_where | agreed),
        )
    ]


def _identity(hook: Hook, sent: Mapping[str, Any], fields: Mapping[str, Any]) -> str:
    nonce = text_of(sent.get(NONCE), 128)
    if nonce is not None:
        return f"{hook.endpoint.id}:nonce:{nonce}"
    plain = {name: _plain(value) for name, value in fields.items() if value not in (None, "", [])}
    window = int(hook.received_at.timestamp()) // WINDOW_SECONDS
    return f"{hook.endpoint.id}:{window}:{codec.sha256(repr(sorted(plain.items())).encode(errors='replace'))}"


def _plain(value: Any) -> Any:
    """Blanks and case apart, so that a second click after a browser's tidying is the same submission."""
    return " ".join(value.split()).casefold() if isinstance(value, str) else value


def _consent(fields: Mapping[str, Any], hook: Hook) -> tuple[list[dict[str, Any]], set[str]]:
    found: list[dict[str, Any]] = []
    used: set[str] = set()
    for name, value in fields.items():
        channel = name.removeprefix(_CONSENT)
        if not name.startswith(_CONSENT) or not channel or name.endswith("_text") or not isinstance(value, (str, bool)):
            continue
        given = flag_of(value) is True or (isinstance(value, str) and value.strip().lower() in _TICKED)
        statement = {
            "channel": text_of(channel, 32),
            "state": "given" if given else "refused",
            "text": text_of(fields.get(f"{name}_text"), 2_000),
            "time": hook.received_at,
            "proof": text_of(hook.headers.get("referer"), 500),
        }
        found.append({key: part for key, part in statement.items() if part is not None})
        used |= {name, f"{name}_text"}
    return found, used


SOURCE = Source(
    name="form",
    title="HTML form",
    mode=Mode.FORM,
    public=True,
    kinds={KIND: EventKind(rank=10)},
    normalize=normalize,
    samples=(
        Sample(
            content_type="application/x-www-form-urlencoded",
            received_at=datetime(2026, 3, 2, 15, 14, 23, tzinfo=UTC),
            body=b"name=Zoe+Marchand&email=zoe%40example.test&phone=%28312%29+555-0142&message=Need+a+quote&_gotcha="
            b"&_nonce=n-0001&service=roof&consent_sms=on&consent_sms_text=You+may+text+me",
        ),
        Sample(
            content_type="multipart/form-data; boundary=----leadbus1",
            received_at=datetime(2026, 3, 2, 15, 14, 23, tzinfo=UTC),
            body=b'------leadbus1\r\nContent-Disposition: form-data; name="email"\r\n\r\nzoe@example.test\r\n'
            b'------leadbus1\r\nContent-Disposition: form-data; name="message"\r\n\r\nLine one\r\nLine two\r\n'
            b'------leadbus1\r\nContent-Disposition: form-data; name="photo"; filename=""\r\n'
            b"Content-Type: application/octet-stream\r\n\r\n\r\n------leadbus1--\r\n",
        ),
        Sample(
            content_type="application/json",
            received_at=datetime(2026, 3, 2, 15, 14, 23, tzinfo=UTC),
            body=b'{"name":"Zoe Marchand","email":"zoe@example.test","budget":12000}',
        ),
    ),
)
