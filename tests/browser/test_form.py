"""A person fills in a form on a business's own website, and the gateway has it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from ops.demo.senders import endpoint_key
from ops.demo.watch import Watcher
from ops.stack.house import House
from schemas.documents import Inbound
from schemas.topics import INBOUND_MESSAGES

pytestmark = pytest.mark.browser

MESSAGE = "Our roof leaks.\nPlease call <after> six & before eight."
FORM = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Summit Roofing</title></head><body>
<h1>Ask for a quote</h1>
<form method="post" action="{action}">
<label>Your name <input name="name" required></label>
<label>Phone <input name="phone" type="tel"></label>
<label>E-mail <input name="email" type="email"></label>
<label>What is it about? <textarea name="message"></textarea></label>
<label><input type="checkbox" name="consent_sms"> You may text me about my roof</label>
<input type="hidden" name="consent_sms_text" value="You may text me about my roof">
<input type="hidden" name="_nonce" value="{nonce}">
<div hidden><label>Leave this empty <input name="_gotcha" tabindex="-1" autocomplete="off"></label></div>
<button>Send</button>
</form></body></html>"""


@pytest.fixture
async def website(house: House) -> AsyncIterator[str]:
    """The business's page, on an origin of its own."""
    action = f"{house.gateway_url}/v1/hooks/form/{endpoint_key('summit-roofing', 'form')}"
    served = iter(range(100))

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=FORM.format(action=action, nonce=f"page-{next(served)}"), content_type="text/html")

    app = web.Application()
    app.router.add_get("/quote", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}/quote"
    await runner.cleanup()


class Topic:
    """What is on a topic, as an onlooker reads it."""

    def __init__(self) -> None:
        self.documents: list[Inbound] = []

    def take(self, topic: str, _: Any, document: Any) -> None:
        if topic == INBOUND_MESSAGES:
            self.documents.append(Inbound.model_validate(document))

    async def holds(self, count: int) -> list[Inbound]:
        """The documents once there are as many; fails after a while with what there is."""
        for _ in range(200):
            if len(self.documents) >= count:
                return list(self.documents)
            await asyncio.sleep(0.05)
        return pytest.fail(f"there are {len(self.documents)} documents, not {count}")


@pytest.fixture
async def topic(house: House) -> AsyncIterator[Topic]:
    seen = Topic()
    watcher = Watcher(house.bootstrap, seen.take)
    watcher.start()
    yield seen
    await asyncio.to_thread(watcher.stop)


async def test_a_person_is_thanked_and_the_lead_is_on_the_topic(page: Page, website: str, topic: Topic) -> None:
    await page.goto(website)
    await page.get_by_label("Your name").fill("Zoë Marchand")
    await page.get_by_label("Phone").fill("(312) 555-0142")
    await page.get_by_label("E-mail").fill("zoe@example.test")
    await page.get_by_label("What is it about?").fill(MESSAGE)
    await page.get_by_label("You may text me").check()
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert await page.title() == "Thank you"
    [document] = await topic.holds(1)
    lead, envelope = document.lead, document.envelope
    assert (lead.name, lead.phone, lead.email) == ("Zoë Marchand", "+13125550142", "zoe@example.test")
    assert lead.message is not None
    assert [line.strip() for line in lead.message.splitlines()] == MESSAGE.splitlines()
    [consent] = lead.consent
    assert (consent.channel, consent.state.value, consent.text) == ("sms", "given", "You may text me about my roof")
    assert (envelope.tenant_id, envelope.source, envelope.event_kind) == ("summit-roofing", "form", "form_submission")
    assert lead.spam.honeypot is False


async def test_whoever_fills_in_the_trap_sees_the_same_page_and_is_marked(
    page: Page, website: str, topic: Topic
) -> None:
    pages = []
    for name, trap in (("Zoë Marchand", ""), ("Cheap Backlinks", "http://spam.example.test")):
        await page.goto(website)
        await page.get_by_label("Your name").fill(name)
        await page.locator("[name=_gotcha]").evaluate("(field, text) => { field.value = text }", trap)
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
        pages.append(await page.content())
    assert pages[0] == pages[1]
    marks = {document.lead.name: document.lead.spam.honeypot for document in await topic.holds(2)}
    assert marks == {"Zoë Marchand": False, "Cheap Backlinks": True}


async def test_going_back_and_sending_again_is_the_same_inquiry(page: Page, website: str, topic: Topic) -> None:
    await page.goto(website)
    await page.get_by_label("Your name").fill("Zoë Marchand")
    for _ in range(2):
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
        await page.go_back()
        await expect(page.get_by_role("heading", name="Ask for a quote")).to_be_visible()
        if not await page.get_by_label("Your name").input_value():
            await page.get_by_label("Your name").fill("Zoë Marchand")
    first, again = await topic.holds(2)
    assert first.envelope.event_id == again.envelope.event_id
