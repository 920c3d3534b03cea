"""A website's own form: what it tells, what steers it, what a browser is answered."""

from urllib.parse import urlencode

import pytest

from gateway.problems import Answer
from schemas import codec
from schemas.lead import ConsentState
from tests.unit.gateway.house import FORM_KEY, House, build_house, bundle, endpoint, lakeside

URLENCODED = "application/x-www-form-urlencoded"
BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"


async def post(home: House, headers: dict[str, str] | None = None, /, **fields: str) -> Answer:
    return await home.post("form", FORM_KEY, urlencode(fields).encode(), content_type=URLENCODED, **(headers or {}))


def part(name: str, value: str, file: str | None = None) -> bytes:
    suffix = f'; filename="{file}"' if file is not None else ""
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{suffix}\r\n\r\n{value}\r\n'.encode()


async def test_the_usual_names_are_understood_and_the_rest_is_kept() -> None:
    home = await build_house(lakeside())
    answer = await post(
        home,
        **{"your-name": "  Zoe Marchand ", "E-Mail": "zoe@EXAMPLE.test", "Phone Number": "312-555-0142"},
        message="Need a quote",
        budget="12000",
        utm_source="google",
    )
    assert answer.status == 202
    lead = home.last.lead
    assert (lead.name, lead.email, lead.phone) == ("Zoe Marchand", "zoe@example.test", "+13125550142")
    assert lead.message == "Need a quote"
    assert lead.attribution.source == "google"
    assert lead.extra == {"budget": "12000"}


async def test_control_fields_never_reach_the_lead() -> None:
    home = await build_house(lakeside())
    await post(
        home,
        name="Zoe",
        _redirect="https://evil.example",
        _next="x",
        _nonce="n1",
        **{"g-recaptcha-response": "t", "form-name": "quote"},
    )
    assert home.last.lead.extra == {}
    assert home.last.lead.spam.honeypot is False


async def test_a_filled_honeypot_is_marked_and_answered_like_any_other() -> None:
    home = await build_house(lakeside())
    human = await post(home, name="Zoe", _gotcha="")
    robot = await post(home, name="Bob", _gotcha="http://spam.example")
    assert (human.status, robot.status) == (202, 202)
    assert [kept.document.lead.spam.honeypot for kept in home.bus.records] == [False, True]


async def test_a_double_click_is_one_submission_and_a_later_one_is_another() -> None:
    home = await build_house(lakeside())
    for wait, name in ((0, "Zoe"), (5, " zoe "), (60, "Zoe")):
        home.clock.forward(wait)
        await post(home, name=name)
    first, click, later = (kept.document.envelope.event_id for kept in home.bus.records)
    assert first == click != later


async def test_a_nonce_names_the_submission_whatever_the_minute() -> None:
    home = await build_house(lakeside())
    for nonce in ("n1", "n1", "n2"):
        home.clock.forward(600)
        await post(home, name="Zoe", _nonce=nonce)
    first, again, other = (kept.document.envelope.request_id for kept in home.bus.records)
    assert first == again != other


async def test_consent_is_kept_with_words_and_proof() -> None:
    home = await build_house(lakeside())
    page = "https://lakeside.example.test/quote"
    await post(
        home,
        {"referer": page},
        name="Zoe",
        consent_sms="on",
        consent_sms_text="You may text me",
        consent_email="no",
    )
    sms, email = home.last.lead.consent
    assert (sms.channel, sms.state, sms.text, sms.proof) == ("sms", ConsentState.GIVEN, "You may text me", page)
    assert (email.channel, email.state) == ("email", ConsentState.REFUSED)
    assert sms.time == home.clock()


async def test_multipart_is_read_like_any_form_and_an_empty_file_input_is_nothing() -> None:
    home = await build_house(lakeside())
    body = part("email", "zoe@example.test") + part("service", "roof") + part("service", "gutters")
    body += part("photo", "", file="") + b"--b--\r\n"
    assert (await home.post("form", FORM_KEY, body, content_type="multipart/form-data; boundary=b")).status == 202
    assert home.last.lead.email == "zoe@example.test"
    assert home.last.lead.extra == {"service": ["roof", "gutters"]}


async def test_a_file_is_refused_with_a_reason() -> None:
    home = await build_house(lakeside())
    body = part("email", "zoe@example.test") + part("photo", "GIF89a", file="me.gif") + b"--b--\r\n"
    answer = await home.post("form", FORM_KEY, body, content_type="multipart/form-data; boundary=b")
    assert answer.status == 415
    assert "Files" in codec.loads(answer.body)["detail"]
    assert home.bus.records == []


@pytest.mark.parametrize("body", [b"", b"_gotcha=&_nonce=1", b"name=&email=", b"{}"])
async def test_a_form_without_a_filled_field_is_refused(body: bytes) -> None:
    home = await build_house(lakeside())
    content_type = "application/json" if body == b"{}" else URLENCODED
    assert (await home.post("form", FORM_KEY, body, content_type=content_type)).status == 400
    assert home.bus.records == []


@pytest.mark.parametrize("redirect", ["https://lakeside.example.test/thanks", None])
async def test_a_browser_is_sent_on_or_thanked_and_a_script_gets_json(redirect: str | None) -> None:
    home = await build_house(bundle(endpoint("form", FORM_KEY, redirect_to=redirect)))
    page = await post(home, {"accept": BROWSER}, name="Zoe")
    script = await post(home, {"accept": "application/json"}, name="Zoe")
    assert codec.loads(script.body) == {"request_ids": [home.last.envelope.request_id]}
    if redirect:
        assert (page.status, dict(page.headers)["location"]) == (303, redirect)
    else:
        assert page.status == 200
        assert b"Thank you" in page.body


@pytest.mark.parametrize("redirect", ["javascript:alert(1)", "https://x.example/\r\nset-cookie: a=b", "/relative"])
async def test_a_redirect_that_is_no_web_address_is_not_followed(redirect: str) -> None:
    home = await build_house(bundle(endpoint("form", FORM_KEY, redirect_to=redirect)))
    assert (await post(home, {"accept": BROWSER}, name="Zoe")).status == 200
