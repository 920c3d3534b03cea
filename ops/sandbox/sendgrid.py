"""SendGrid's v3 mail door: checks a mail as the vendor does, keeps it, and answers 202 with a message id.

Failures carry `errors[]` with message and field. Sandbox mode validates only and answers 200. A 202 is acceptance,
and there is no idempotency key: the same body twice is two mails, here as there.
Source: SendGrid v3 API reference, Mail Send (limits: 1,000 personalizations, custom_args below 10,000 bytes).
"""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

from aiohttp import web

from ops.sandbox.vendor_http import HttpVendor, Refused
from ops.sandbox.world import JsonObject, World

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_SCOPES = ["mail.send", "mail.batch.read", "templates.read", "user.profile.read"]
_PERSONALIZATIONS_MAX = 1_000
_CUSTOM_ARGS_MAX_BYTES = 10_000
_REASONS = {401: "The provided authorization grant is invalid, expired, or revoked", 429: "too many requests"}


class SendGrid(HttpVendor):
    """State: accepted mails per account, with their custom_args."""

    name: ClassVar[str] = "sendgrid"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._mails: dict[str, list[JsonObject]] = {}

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v3/mail/send", self._send), web.get("/v3/scopes", self._scopes)]

    def error(self, status: int, message: str) -> tuple[Any, dict[str, str]]:
        headers = {}
        if status == 429:
            reset = int(self.world.clock.now().timestamp()) + 1
            headers = {"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
        return {"errors": [{"message": _REASONS.get(status, message), "field": None, "help": None}]}, headers

    def accounts(self) -> JsonObject:
        return {account: {"mails": list(mails)} for account, mails in self._mails.items()}

    def forget(self) -> None:
        self._mails.clear()

    def _account(self, request: web.Request) -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        account = self.world.credentials.account(self.name, token) if scheme.lower() == "bearer" else None
        if account is None:
            raise self.refuse(401, "unknown API key")
        return account

    async def _scopes(self, request: web.Request) -> web.Response:
        self._account(request)
        return web.json_response({"scopes": _SCOPES})

    async def _send(self, request: web.Request) -> web.Response:
        account = self._account(request)
        if request.content_type != "application/json":
            raise self.refuse(415, "Content-Type should be application/json")
        mail = await self.json_object(request)
        problems = _problems(mail)
        if problems:
            reason = "; ".join(f"{field}: {message}" for message, field in problems)
            errors = [{"message": message, "field": field, "help": None} for message, field in problems]
            raise Refused(400, {"errors": errors}, reason)
        settings = mail.get("mail_settings") or {}
        if (settings.get("sandbox_mode") or {}).get("enable") is True:
            return web.Response(status=200)
        kept = self._mails.setdefault(account, [])
        message_id = f"sandbox{len(kept) + 1:015d}"
        kept.append({"message_id": message_id, "received_at": self.world.timestamp(), **mail})
        return web.Response(status=202, headers={"X-Message-Id": message_id})


def _problems(mail: JsonObject) -> list[tuple[str, str]]:
    """What the vendor would refuse in this mail: (message, field) pairs."""
    found: list[tuple[str, str]] = []
    sender = mail.get("from")
    if not _is_address(sender):
        found.append(("The from object must be provided for every email send, with a valid email.", "from.email"))
    people = mail.get("personalizations")
    if not isinstance(people, list) or not 1 <= len(people) <= _PERSONALIZATIONS_MAX:
        found.append(("personalizations must be an array of 1 to 1000 objects.", "personalizations"))
        people = []
    templated = isinstance(mail.get("template_id"), str)
    for index, person in enumerate(people):
        found += _personalization_problems(person, f"personalizations.{index}", templated, mail)
    if not templated:
        found += _content_problems(mail.get("content"))
    found += _custom_args_problems(mail.get("custom_args"), "custom_args")
    return found


def _personalization_problems(person: Any, where: str, templated: bool, mail: JsonObject) -> list[tuple[str, str]]:
    if not isinstance(person, dict):
        return [("A personalization must be an object.", where)]
    found = []
    to = person.get("to")
    if not isinstance(to, list) or not to:
        found.append(("The to array is required, with at least one object.", f"{where}.to"))
    for at, recipient in enumerate(to if isinstance(to, list) else []):
        if not _is_address(recipient):
            found.append(("Does not contain a valid address.", f"{where}.to.{at}.email"))
    if not templated and not (person.get("subject") or mail.get("subject")):
        found.append(("The subject is required.", "subject"))
    return found + _custom_args_problems(person.get("custom_args"), f"{where}.custom_args")


def _content_problems(content: Any) -> list[tuple[str, str]]:
    if not isinstance(content, list) or not content:
        return [("Unless a valid template_id is provided, the content parameter is required.", "content")]
    return [
        ("The content value must be a string of at least one character.", f"content.{index}.value")
        for index, part in enumerate(content)
        if not isinstance(part, dict) or not part.get("type") or not part.get("value")
    ]


def _custom_args_problems(custom_args: Any, where: str) -> list[tuple[str, str]]:
    if custom_args is None:
        return []
    if not isinstance(custom_args, dict) or not all(isinstance(v, str) for v in custom_args.values()):
        return [("custom_args must be an object of strings.", where)]
    if len(json.dumps(custom_args).encode()) >= _CUSTOM_ARGS_MAX_BYTES:
        return [("custom_args must be below 10000 bytes.", where)]
    return []


def _is_address(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    email = value.get("email")
    return isinstance(email, str) and _ADDRESS.fullmatch(email) is not None
