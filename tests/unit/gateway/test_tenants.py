"""The map of endpoints: loaded, refreshed, and never worse than the last good one."""

from tests.unit.gateway.house import (
    FORM_KEY,
    build_house,
    bundle,
    endpoint,
    lakeside,
)

OTHER_KEY = "another-form-endpoint-key-01"
FIELDS = b"name=Zoe"


async def test_before_the_first_load_the_answer_is_503_never_404() -> None:
    home = await build_house(lakeside(), store_away=True)
    answer = await home.post("form", FORM_KEY, FIELDS)
    assert answer.status == 503


async def test_a_new_endpoint_is_taken_up_and_a_removed_one_dropped() -> None:
    home = await build_house(lakeside())
    home.bundles.put(bundle(endpoint("form", OTHER_KEY)))
    assert (await home.post("form", OTHER_KEY, FIELDS)).status == 404
    await home.gateway.endpoints.refresh()
    assert (await home.post("form", OTHER_KEY, FIELDS)).status == 202
    assert (await home.post("form", FORM_KEY, FIELDS)).status == 404


async def test_a_bad_bundle_keeps_the_last_good_one_and_is_logged_once() -> None:
    home = await build_house(lakeside())
    home.bundles.put({"tenant": "lakeside", "endpoints": "all of them"})
    for _ in range(3):
        await home.gateway.endpoints.refresh()
    assert (await home.post("form", FORM_KEY, FIELDS)).status == 202
    assert home.log.getvalue().count("bundle_refused") == 1


async def test_one_tenants_bad_bundle_is_nobody_elses_trouble() -> None:
    home = await build_house(lakeside())
    home.bundles.put({"tenant": "other"})
    home.bundles.put(bundle(endpoint("form", OTHER_KEY), tenant="third"))
    await home.gateway.endpoints.refresh()
    assert (await home.post("form", FORM_KEY, FIELDS)).status == 202
    assert (await home.post("form", OTHER_KEY, FIELDS)).status == 202
    unknown = await home.post("form", "a key that may be the unread tenant's", FIELDS)
    assert unknown.status == 503


async def test_a_bundle_of_another_tenant_is_not_taken() -> None:
    home = await build_house()
    home.bundles.put(bundle(endpoint("form", FORM_KEY), tenant="lakeside"), tenant="other")
    await home.gateway.endpoints.refresh()
    assert (await home.post("form", FORM_KEY, FIELDS)).status == 503


async def test_a_key_belongs_to_one_endpoint_only() -> None:
    home = await build_house(lakeside(), bundle(endpoint("form", FORM_KEY), tenant="thief"))
    await home.post("form", FORM_KEY, FIELDS)
    assert home.last.envelope.tenant_id == "lakeside"
    assert "another endpoint's" in home.log.getvalue()


async def test_an_unknown_source_is_left_out_and_said() -> None:
    home = await build_house(bundle(endpoint("typewriter", OTHER_KEY), endpoint("form", FORM_KEY)))
    assert (await home.post("form", FORM_KEY, FIELDS)).status == 202
    assert (await home.post("typewriter", OTHER_KEY, FIELDS)).status == 404
    assert "unknown source" in home.log.getvalue()


async def test_a_store_that_is_away_changes_nothing() -> None:
    home = await build_house(lakeside())
    home.bundles.away = True
    await home.gateway.endpoints.refresh()
    assert (await home.post("form", FORM_KEY, FIELDS)).status == 202


async def test_a_tenant_that_is_gone_is_let_go() -> None:
    home = await build_house(lakeside())
    home.bundles.live.clear()
    await home.gateway.endpoints.refresh()
    assert (await home.post("form", FORM_KEY, FIELDS)).status == 404
