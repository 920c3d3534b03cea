"""The console as a person uses it: by keyboard alone, with names for a screen reader, whatever a lead's name is."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.leads import MARKUP, TENANT

pytestmark = pytest.mark.browser


async def give_token(page: Page, token: str) -> None:
    await expect(page.get_by_label("Your tenant token")).to_be_focused()
    await page.keyboard.type(token)
    await page.keyboard.press("Enter")


async def sign_in(page: Page, console: str, token: str) -> None:
    await page.goto(console)
    await give_token(page, token)
    await expect(page.get_by_role("heading", name=f"Leads of {TENANT}", level=1)).to_be_visible()


async def tab_to(page: Page, role: str, name: str) -> None:
    """Press Tab until the element has the focus; fails when it cannot be reached that way."""
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await page.get_by_role(role, name=name, exact=True).and_(page.locator(":focus")).count():  # type: ignore[arg-type]
            return
    pytest.fail(f"{role} {name!r} cannot be reached with the Tab key")


async def test_a_person_signs_in_and_opens_a_lead_with_the_keyboard_alone(page: Page, console: str) -> None:
    await page.goto(console)
    await expect(page).to_have_title("Sign in · leadbus")
    await expect(page.get_by_label("Your tenant token")).to_be_focused()
    await page.keyboard.type("admin-token")
    await tab_to(page, "button", "Show the leads")
    await page.keyboard.press("Enter")
    await expect(page).to_have_title(f"Leads of {TENANT} · leadbus")
    await tab_to(page, "link", "Marta Ibáñez")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Marta Ibáñez", level=1)).to_be_visible()
    await expect(page.get_by_role("listitem")).to_contain_text("Pain, or a patient who is ready to book")
    await expect(page.get_by_role("region", name="What became of it").get_by_role("row")).to_have_count(3)
    await expect(page.get_by_text("Caller: I need an implant.")).to_be_visible()
    await tab_to(page, "link", f"Leads of {TENANT}")
    await page.keyboard.press("Enter")
    await expect(page).to_have_title(f"Leads of {TENANT} · leadbus")


async def test_markup_in_a_name_is_text_in_the_list_and_on_its_page(page: Page, console: str) -> None:
    await sign_in(page, console, "admin-token")
    await expect(page.get_by_role("link", name=MARKUP, exact=True)).to_be_visible()
    await page.get_by_role("link", name=MARKUP, exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(MARKUP)
    await expect(page).to_have_title(f"{MARKUP} · leadbus")
    assert await page.locator("#injected").count() == 0
    assert await page.locator("script").count() == 0


async def test_everything_has_a_name_and_tables_have_their_headers(page: Page, console: str) -> None:
    await page.goto(console)
    await expect(page.locator("input")).to_have_accessible_name("Your tenant token")
    await expect(page.get_by_role("button")).to_have_accessible_name("Show the leads")
    await sign_in(page, console, "admin-token")
    assert await page.locator("html").get_attribute("lang") == "en"
    await expect(page.get_by_role("main")).to_have_count(1)
    await expect(page.get_by_role("banner").get_by_role("button", name="Sign out")).to_be_visible()
    table = page.get_by_role("region", name="Leads").get_by_role("table", name="Newest first")
    headers = await table.get_by_role("columnheader").all_inner_texts()
    assert headers == ["Who", "Received (UTC)", "How", "Office", "Score", "Spam"]
    cells = table.get_by_role("row", name="Marta Ibáñez").get_by_role("cell")
    assert (await cells.all_inner_texts())[1:] == ["phone call", "downtown", "82", "3 %"]
    for element in await page.locator("a, button").all():
        assert (await element.inner_text()).strip()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="To the content")).to_be_focused()


async def test_a_lead_of_which_nothing_is_known_says_so(page: Page, console: str) -> None:
    await sign_in(page, console, "admin-token")
    await page.get_by_role("link", name="Unknown person").click()
    await expect(page.get_by_text("not scored")).to_be_visible()
    await expect(page.get_by_text("None yet.")).to_be_visible()
    await expect(page.get_by_text("Nothing has ended yet")).to_be_visible()


async def test_a_wrong_token_is_told_and_the_next_try_goes_on_from_there(page: Page, console: str) -> None:
    await page.goto(console)
    await give_token(page, "wrong")
    await expect(page.get_by_role("alert")).to_contain_text("This token was not accepted")
    field = page.get_by_label("Your tenant token")
    await expect(field).to_have_accessible_description(re.compile("not accepted"))
    await expect(page.locator("table")).to_have_count(0)
    await give_token(page, "viewer-token")
    await expect(page.get_by_role("heading", name=f"Leads of {TENANT}")).to_be_visible()


async def test_whoever_signs_out_sees_nothing_any_more(page: Page, console: str) -> None:
    await sign_in(page, console, "admin-token")
    await page.get_by_role("link", name="Marta Ibáñez").click()
    lead = page.url
    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_title("Sign in · leadbus")
    await expect(page.get_by_role("alert")).to_have_count(0)
    assert await page.context.cookies() == []
    await page.goto(lead)
    await expect(page).to_have_title("Sign in · leadbus")
    await expect(page.get_by_text("Marta")).to_have_count(0)


async def test_a_viewer_sees_masks_and_is_told_why(page: Page, console: str) -> None:
    await sign_in(page, console, "viewer-token")
    await expect(page.get_by_text("personal data is masked for this token")).to_be_visible()
    await page.get_by_role("link", name="M. I.").click()
    await expect(page.get_by_text("42", exact=False).first).to_be_visible()
    body = await page.locator("body").inner_text()
    assert "Marta" not in body
    assert "+1312" not in body
    assert "implant" not in body


async def test_a_narrow_screen_scrolls_the_table_and_not_the_page(page: Page, console: str) -> None:
    await page.set_viewport_size({"width": 320, "height": 640})
    await sign_in(page, console, "admin-token")
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
