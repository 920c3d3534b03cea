"""A mail as SendGrid takes it. Everything in it may come from a stranger, so nothing is more than text.

The plain version is for reading, the HTML version shows the same text escaped; the subject and names hold no line
break or control character, so they cannot grow headers; an unusable reply address is left out rather than refused.
"""

import html
import re
import unicodedata
from typing import Any, Final

from connectors.crm.html_text import text_as_html
from connectors.crm.seam import Work
from connectors.crm.vendors.sendgrid.settings import SendGridSettings
from schemas.decision import MailWrite

SUBJECT_LIMIT: Final = 250
BODY_LIMIT: Final = 200_000
"""Characters of a value; the whole mail may have 30 MB."""
REQUEST_ARG: Final = "request_id"
ORDER_ARG: Final = "order_id"
"""Custom arguments; SendGrid's event webhook echoes them."""

_ADDRESS = re.compile(r"[^@\s<>\"',;]{1,64}@[^@\s<>\"',;]+\.[^@\s<>\"',;]+")


def payload(work: Work, mail: MailWrite, settings: SendGridSettings) -> dict[str, Any]:
    """The body for `POST /v3/mail/send`."""
    subject = one_line(mail.subject)[:SUBJECT_LIMIT] or "New lead"
    lines = [(one_line(label), value) for label, value in mail.lines if value.strip()]
    person: dict[str, Any] = {
        "to": [{"email": address} for address in _recipients(mail)],
        "custom_args": {REQUEST_ARG: work.request_id, ORDER_ARG: work.order_id},
    }
    body: dict[str, Any] = {
        "personalizations": [person],
        "from": {"email": settings.sender, **({"name": one_line(settings.from_name)} if settings.from_name else {})},
        # Mails to a tenant's own desk: links stay what they are, and nobody is watched reading.
        "tracking_settings": {"click_tracking": {"enable": False}, "open_tracking": {"enable": False}},
    }
    if mail.template_id:
        body["template_id"] = mail.template_id
        listed = [{"label": label, "value": value[:BODY_LIMIT]} for label, value in lines]
        person["dynamic_template_data"] = {"subject": subject, "lines": listed}
    else:
        body["subject"] = subject
        body["content"] = [
            {"type": "text/plain", "value": _plain(subject, lines)},
            {"type": "text/html", "value": _html(subject, lines)},
        ]
    if mail.reply_to and _ADDRESS.fullmatch(mail.reply_to.strip()):
        body["reply_to"] = {"email": mail.reply_to.strip()}
    if settings.sandbox_mode:
        body["mail_settings"] = {"sandbox_mode": {"enable": True}}
    return body


def one_line(text: str) -> str:
    """The text without line breaks and control characters; invisible ones that turn or hide text go too."""
    kept = (" " if c in "\r\n\t\x0b\x0c\u2028\u2029" else c for c in text)
    hiding = ("Cc", "Cs", "Cf")
    return " ".join("".join(c for c in kept if c == "\u200d" or unicodedata.category(c) not in hiding).split())


def _recipients(mail: MailWrite) -> list[str]:
    """SendGrid refuses a mail that names an address twice."""
    unique: dict[str, str] = {}
    for address in mail.to:
        unique.setdefault(address.strip().lower(), address.strip())
    return list(unique.values())


def _plain(subject: str, lines: list[tuple[str, str]]) -> str:
    return "\n".join(f"{label}: {value[:BODY_LIMIT]}" for label, value in lines) or subject


def _html(subject: str, lines: list[tuple[str, str]]) -> str:
    rows = "".join(
        f'<tr><td style="padding:2px 12px 2px 0;vertical-align:top;color:#555">{html.escape(label)}</td>'
        f'<td style="padding:2px 0">{text_as_html(value, BODY_LIMIT)}</td></tr>'
        for label, value in lines
    )
    head = f'<p style="font-weight:bold">{html.escape(subject)}</p>'
    return f'<!doctype html><meta charset="utf-8">{head}<table style="border-collapse:collapse">{rows}</table>'
