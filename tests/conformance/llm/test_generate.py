"""What the language model answers, through Google's own client against the sandbox's prediction service."""

from typing import Any

import jsonschema
import pytest

from connectors.llm.seam import LlmMisconfigured, LlmQuota, LlmUnavailable, Prompt
from connectors.prices import generation_cost
from ops.sandbox.faults import Fault
from tests.conformance.llm.conftest import Llm

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["lead_score", "spam_likelihood", "sentiment", "summary", "tags"],
    "properties": {
        "lead_score": {"type": "integer", "minimum": 0, "maximum": 100},
        "spam_likelihood": {"type": "number", "minimum": 0, "maximum": 1},
        "sentiment": {"type": "string", "enum": ["positive", "neutral", "negative", "mixed"]},
        "summary": {"type": "string", "maxLength": 400},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 8},
    },
}
LEAK = "My roof is leaking badly after the storm, I need someone today. We have insurance with State Farm."
PITCH = "We can get your website to page one of Google. Guaranteed SEO ranking, press one to speak with a specialist."
PATH = "/google.cloud.aiplatform.v1.PredictionService/GenerateContent"


def prompt(content: str, **more: Any) -> Prompt:
    return Prompt("Judge the lead of a roofing company.", content, SCHEMA, {"tenant": "summit-roofing"}, **more)


@pytest.mark.parametrize("content", [LEAK, PITCH, "Hola, quiero una cita para mañana, me duele una muela."])
async def test_the_answer_fits_the_schema(llm: Llm, content: str) -> None:
    answer = await llm.model().generate(prompt(content))

    jsonschema.validate(answer.value, SCHEMA)
    assert (answer.finish, answer.model) == ("STOP", "gemini-2.5-flash")


async def test_different_leads_are_judged_differently(llm: Llm) -> None:
    model = llm.model()
    leak = (await model.generate(prompt(LEAK))).value
    pitch = (await model.generate(prompt(PITCH))).value

    assert leak["lead_score"] > pitch["lead_score"]
    assert leak["spam_likelihood"] < pitch["spam_likelihood"]


async def test_tokens_are_counted_and_priced_with_the_thoughts(llm: Llm) -> None:
    answer = await llm.model().generate(prompt(LEAK))

    (billed,) = llm.kept("generations")
    used = answer.usage
    assert billed["usage"]["prompt_token_count"] == used.prompt > 0
    assert billed["usage"]["candidates_token_count"] == used.answer > 0
    assert billed["usage"]["thoughts_token_count"] == used.thinking > 0
    assert used.cost_usd == pytest.approx(
        generation_cost("gemini-2.5-flash", prompt_tokens=used.prompt, output_tokens=used.answer + used.thinking)
    )


async def test_thoughts_come_apart_from_the_answer(llm: Llm) -> None:
    answer = await llm.model().generate(prompt(LEAK))

    assert answer.thoughts
    assert not any(thought in answer.text for thought in answer.thoughts)


async def test_thinking_can_be_switched_off_for_one_prompt(llm: Llm) -> None:
    answer = await llm.model().generate(prompt(LEAK, thinking_budget=0))

    assert answer.usage.thinking == 0
    assert answer.thoughts == ()
    jsonschema.validate(answer.value, SCHEMA)


async def test_a_model_of_the_next_family_is_told_a_level(llm: Llm) -> None:
    model = llm.model("gemini-3.5-flash-lite")
    little = await model.generate(prompt(LEAK, thinking_budget=0))
    much = await model.generate(prompt(LEAK, thinking_budget=4_096))

    assert little.usage.thinking < much.usage.thinking
    jsonschema.validate(much.value, SCHEMA)


async def test_the_tenant_is_on_the_bill(llm: Llm) -> None:
    await llm.model().generate(prompt(LEAK))

    assert llm.kept("generations")[0]["labels"] == {"tenant": "summit-roofing"}


async def test_an_answer_that_was_cut_off_has_no_value(llm: Llm) -> None:
    answer = await llm.model().generate(prompt(LEAK, thinking_budget=0, max_output_tokens=3))

    assert answer.finish == "MAX_TOKENS"
    assert answer.value is None
    assert answer.text


async def test_thoughts_do_not_use_up_the_room_of_the_answer(llm: Llm) -> None:
    answer = await llm.model().generate(prompt(LEAK, thinking_budget=2_000, max_output_tokens=200))

    assert answer.finish == "STOP"


async def test_an_answer_outside_the_schema_is_handed_on_as_it_is(llm: Llm) -> None:
    answer = await llm.model().generate(prompt(LEAK + " sandbox:malformed-answer"))

    assert answer.finish == "STOP"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(answer.value, SCHEMA)


async def test_a_repair_shows_the_model_its_answer_and_what_was_wrong(llm: Llm) -> None:
    model = llm.model()
    content = LEAK + " sandbox:malformed-answer-once"
    bad = await model.generate(prompt(content))
    good = await model.generate(
        prompt(content, previous_answer=bad.text, complaint="lead_score must be a whole number from 0 to 100")
    )

    jsonschema.validate(good.value, SCHEMA)
    assert [generation["turns"] for generation in llm.kept("generations")] == [1, 3]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("RESOURCE_EXHAUSTED", LlmQuota),
        ("UNAVAILABLE", LlmUnavailable),
        ("INTERNAL", LlmUnavailable),
        ("DEADLINE_EXCEEDED", LlmUnavailable),
        ("PERMISSION_DENIED", LlmMisconfigured),
        ("INVALID_ARGUMENT", LlmMisconfigured),
        ("FAILED_PRECONDITION", LlmMisconfigured),
    ],
)
async def test_a_status_that_stays_becomes_the_error_that_says_what_to_do(
    llm: Llm, status: str, error: type[Exception]
) -> None:
    llm.sandbox.add_fault(Fault(vendor="google", kind="status", path_prefix=PATH, status=status, times=None))

    with pytest.raises(error, match=status):
        await llm.model().generate(prompt(LEAK))


async def test_a_full_pool_is_asked_three_times_at_most(llm: Llm) -> None:
    llm.sandbox.add_fault(
        Fault(vendor="google", kind="status", path_prefix=PATH, status="RESOURCE_EXHAUSTED", times=None)
    )

    with pytest.raises(LlmQuota):
        await llm.model().generate(prompt(LEAK))

    assert llm.calls("GenerateContent") == 3


async def test_a_passing_fault_is_not_noticed(llm: Llm) -> None:
    llm.sandbox.add_fault(Fault(vendor="google", kind="status", path_prefix=PATH, status="UNAVAILABLE", times=2))

    answer = await llm.model().generate(prompt(LEAK))

    assert answer.value is not None


async def test_a_model_that_is_not_there_is_a_misconfiguration(llm: Llm) -> None:
    with pytest.raises(LlmMisconfigured, match="NOT_FOUND"):
        await llm.model("gemini-1.0-none").generate(prompt(LEAK))
