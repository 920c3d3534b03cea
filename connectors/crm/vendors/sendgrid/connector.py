"""SendGrid behind the seam: a step is one mail. SendGrid has no idempotency key and no look-up by ours.

So a mail whose answer was lost is `EffectUnknown`, and stays so: whether it is sent again is the step's `on_unknown`,
or a receipt decides it (the event webhook echoes the order id). An answered error means that nothing was sent.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from connectors.crm.findings import finding_of
from connectors.crm.http import Answer, Http, NoAnswer, NotSent
from connectors.crm.seam import (
    ConfigBroken,
    ConnectorError,
    Delivered,
    Effects,
    EffectUnknown,
    Finding,
    Retryable,
    Validation,
    Work,
    Written,
)
from connectors.crm.slots import Slots
from connectors.crm.vendors.sendgrid.errors import error_of
from connectors.crm.vendors.sendgrid.mail import payload
from connectors.crm.vendors.sendgrid.settings import SendGridSettings
from schemas.decision import ConnectorKind, MailWrite

PART = "mail"


class SendGridConnector:
    """One tenant's account. `scope` names the rate limit, `now` gives the time in UTC."""

    kind: ClassVar[ConnectorKind] = ConnectorKind.EMAIL
    upserts: ClassVar[bool] = False

    def __init__(
        self,
        http: Http,
        slots: Slots,
        settings: SendGridSettings,
        *,
        base_url: str,
        key: str,
        scope: str,
        now: Callable[[], datetime],
    ) -> None:
        self._http = http
        self._slots = slots
        self._settings = settings
        self._base = base_url
        self._key = key
        self._scope = scope
        self._now = now

    async def create_lead(self, work: Work, effects: Effects) -> Delivered:
        """Send the work's mail; the remote id is SendGrid's `X-Message-Id`, under part `mail`."""
        if work.mail is None:
            raise ConfigBroken("an e-mail connector sends mails; give the step `do: mail`", code="mapping")
        if (known := effects.known.get(PART)) is not None:
            return _sent(work, known, created=False)
        body = payload(work, work.mail, self._settings)
        await effects.sending()
        try:
            answer = await self._call("POST", "/v3/mail/send", body)
        except NotSent as fault:
            raise Retryable(f"SendGrid: {fault}") from None
        except NoAnswer as fault:
            raise EffectUnknown(f"SendGrid: {fault}") from None
        if not 200 <= answer.status < 300:
            raise self._error(answer, work.mail)
        # A mail that is only checked (sandbox mode) gets no id of SendGrid's.
        message_id = answer.headers.get("x-message-id") or f"order:{work.order_id}"
        await effects.remember(PART, message_id)
        return _sent(work, message_id, created=True)

    async def update_contact(self, work: Work, effects: Effects) -> Delivered:
        raise ConfigBroken("an e-mail connector has no contacts; send the step to a CRM connector", code="mapping")

    async def reconcile(self, work: Work, effects: Effects) -> Delivered | None:
        if (known := effects.known.get(PART)) is not None:
            return _sent(work, known, created=False)
        raise EffectUnknown("SendGrid cannot be asked whether it has taken a mail")

    async def validate_connection(self) -> Validation:
        findings: list[Finding] = []
        rights = "the scope mail.send (Settings, API Keys)"
        try:
            answer = await self._call("GET", "/v3/scopes", None)
            if answer.status != 200:
                raise self._error(answer, None)
            document = answer.json()
            scopes = document.get("scopes") if isinstance(document, dict) else None
            if "mail.send" not in (scopes or ()):
                findings.append(Finding("scope", "the API key may not send mails", f"Give it {rights}."))
        except (NotSent, NoAnswer) as fault:
            findings.append(finding_of(Retryable(f"SendGrid: {fault}"), credential="API key", rights=rights))
        except ConnectorError as error:
            findings.append(finding_of(error, credential="API key", rights=rights))
        return Validation(not findings, self._settings.sender, tuple(findings))

    async def close(self) -> None:
        """Nothing of its own is open: all tenants share one HTTP client."""

    async def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Answer:
        async with self._slots.taken():
            headers = {"Authorization": f"Bearer {self._key}"}
            return await self._http.call(method, self._base + path, headers=headers, json=body)

    def _error(self, answer: Answer, mail: MailWrite | None) -> ConnectorError:
        quoted = [value for _, value in mail.lines if len(value) >= 3] if mail is not None else []
        hidden = (*quoted, self._key)
        return error_of(answer.status, answer.headers, answer.json(), now=self._now(), scope=self._scope, hidden=hidden)


def _sent(work: Work, message_id: str, *, created: bool) -> Delivered:
    return Delivered((Written(PART, work.order_id, message_id, created, (PART,)),))
