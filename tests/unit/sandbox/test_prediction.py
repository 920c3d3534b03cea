"""The model server, through the real PredictionServiceAsyncClient."""

from __future__ import annotations

import json
from typing import Any

import grpc.aio
import jsonschema
import pytest
from google.api_core import exceptions
from google.cloud.aiplatform_v1.services.prediction_service import PredictionServiceAsyncClient
from google.cloud.aiplatform_v1.services.prediction_service.transports.grpc_asyncio import (
    PredictionServiceGrpcAsyncIOTransport,
)
from google.cloud.aiplatform_v1.types import content as c
from google.cloud.aiplatform_v1.types import openapi
from google.cloud.aiplatform_v1.types import prediction_service as ps
from google.protobuf import json_format, struct_pb2

from ops.sandbox.recordings import RecordingIndex
from tests.unit.sandbox.conftest import Running

MODEL = "projects/summit/locations/us-central1/publishers/google/models/gemini-2.5-flash"
EMBEDDER = "projects/summit/locations/us-central1/publishers/google/models/gemini-embedding-001"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["lead_score", "spam_likelihood", "sentiment", "sentiment_score", "reasons", "mystery", "nested"],
    "additionalProperties": False,
    "properties": {
        "lead_score": {"type": "integer", "minimum": 0, "maximum": 100},
        "spam_likelihood": {"type": "number", "minimum": 0, "maximum": 1},
        "sentiment": {"type": "string", "enum": ["positive", "neutral", "negative", "mixed"]},
        "sentiment_score": {"type": "number", "minimum": -1, "maximum": 1},
        "urgency": {"type": "string", "enum": ["low", "normal", "high", "emergency"]},
        "intent": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "service": {"type": ["string", "null"]},
        "summary": {"type": "string", "maxLength": 40},
        "language": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        "reasons": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "mystery": {"type": "number", "minimum": 3},
        "nested": {"$ref": "#/$defs/Inner"},
    },
    "$defs": {
        "Inner": {
            "type": "object",
            "required": ["flag", "kind"],
            "properties": {"flag": {"type": "boolean"}, "kind": {"const": "inner"}},
        }
    },
}


@pytest.fixture
def model(google_channel: grpc.aio.Channel) -> PredictionServiceAsyncClient:
    return PredictionServiceAsyncClient(transport=PredictionServiceGrpcAsyncIOTransport(channel=google_channel))


def value(document: Any) -> struct_pb2.Value:
    made = struct_pb2.Value()
    json_format.ParseDict(document, made)
    return made


def turn(text: str, role: str = "user") -> c.Content:
    return c.Content(role=role, parts=[c.Part(text=text)])


async def generate(
    model: PredictionServiceAsyncClient, *turns: c.Content, name: str = MODEL, **config: Any
) -> ps.GenerateContentResponse:
    wanted = {"response_mime_type": "application/json", "response_json_schema": value(SCHEMA), **config}
    request = ps.GenerateContentRequest(
        model=name,
        contents=turns,
        system_instruction=turn("Score the lead. Urgent leaks and SEO pitches for backlinks are described below."),
        generation_config=c.GenerationConfig(**wanted),
        labels={"tenant": "summit"},
    )
    answer: ps.GenerateContentResponse = await model.generate_content(request=request)
    return answer


def read(answer: ps.GenerateContentResponse) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.candidates[0].content.parts[-1].text)
    return found


def said_in(name: str) -> str:
    audio = RecordingIndex.load().by_name(name)
    assert audio is not None
    return audio.recording.transcript


async def test_answers_fit_the_json_schema_and_six_calls_are_told_apart(model: PredictionServiceAsyncClient) -> None:
    read_of = {}
    for name in RecordingIndex.load().names():
        read_of[name] = read(await generate(model, turn(said_in(name))))
        jsonschema.validate(read_of[name], SCHEMA)
    assert read_of["seo-spam"]["spam_likelihood"] >= 0.9
    assert max(r["spam_likelihood"] for n, r in read_of.items() if n != "seo-spam") < 0.3
    assert read_of["roof-leak"]["lead_score"] >= 80
    assert read_of["dental-implant"]["lead_score"] >= 70
    assert read_of["angry-customer"]["sentiment"] == "negative"
    assert read_of["angry-customer"]["lead_score"] < 30
    assert read_of["voicemail-short"]["lead_score"] < 50
    assert read_of["cita-dental"]["language"] == "es"
    assert read_of["roof-leak"]["urgency"] == "high"


async def test_an_openapi_schema_with_scores_from_0_to_1_is_kept_to(model: PredictionServiceAsyncClient) -> None:
    schema = openapi.Schema(
        type_=openapi.Type.OBJECT,
        required=["lead_score", "sentiment"],
        properties={
            "lead_score": openapi.Schema(type_=openapi.Type.NUMBER, minimum=0, maximum=1),
            "sentiment": openapi.Schema(type_=openapi.Type.NUMBER, minimum=-1, maximum=1),
        },
    )
    answer = await generate(model, turn(said_in("roof-leak")), response_schema=schema, response_json_schema=None)
    assert 0.8 <= read(answer)["lead_score"] <= 1
    assert -1 <= read(answer)["sentiment"] <= 1


async def test_keys_of_a_json_lead_do_not_count_as_words(model: PredictionServiceAsyncClient) -> None:
    lead = json.dumps({"seo": None, "ranking": 4, "backlinks": [], "message": "My roof is leaking, need a quote"})
    assert read(await generate(model, turn(lead)))["spam_likelihood"] < 0.3


async def test_the_marks_around_quoted_content_do_not_count_as_words(model: PredictionServiceAsyncClient) -> None:
    plain = read(await generate(model, turn("My roof is leaking.")))
    fenced = read(
        await generate(model, turn("BEGIN CONTENT-1f\n<<<LEAD\nMy roof is leaking.\nLEAD>>>\nEND CONTENT-1f"))
    )
    assert fenced == plain
    assert plain["summary"] == "My roof is leaking."


@pytest.mark.parametrize("budget", [0, 40])
async def test_thoughts_stay_within_the_budget(model: PredictionServiceAsyncClient, budget: int) -> None:
    thinking = c.GenerationConfig.ThinkingConfig(thinking_budget=budget, include_thoughts=True)
    answer = await generate(model, turn(said_in("roof-leak")), thinking_config=thinking)
    usage = answer.usage_metadata
    assert usage.thoughts_token_count == budget
    assert usage.total_token_count == (
        usage.prompt_token_count + usage.candidates_token_count + usage.thoughts_token_count
    )
    thoughts = [part for part in answer.candidates[0].content.parts if part.thought]
    assert len(thoughts) == (1 if budget else 0)


async def test_an_answer_above_the_token_limit_is_cut(model: PredictionServiceAsyncClient) -> None:
    answer = await generate(model, turn(said_in("roof-leak")), max_output_tokens=600)
    assert answer.candidates[0].finish_reason == c.Candidate.FinishReason.STOP
    answer = await generate(model, turn(said_in("roof-leak")), max_output_tokens=20)
    assert answer.candidates[0].finish_reason == c.Candidate.FinishReason.MAX_TOKENS


async def test_a_marked_content_gets_a_bad_answer_once_and_then_a_good_one(
    model: PredictionServiceAsyncClient,
) -> None:
    lead = turn("New roof please. sandbox:malformed-answer-once")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(read(await generate(model, lead)), SCHEMA)
    jsonschema.validate(read(await generate(model, lead)), SCHEMA)


async def test_a_repair_turn_gets_a_good_answer(model: PredictionServiceAsyncClient) -> None:
    lead = turn("New gutters please. sandbox:malformed-answer-once")
    bad = (await generate(model, lead)).candidates[0].content.parts[0].text
    repaired = await generate(model, lead, turn(bad, "model"), turn("lead_score must be an integer"))
    jsonschema.validate(read(repaired), SCHEMA)


async def test_the_other_mark_gets_bad_answers_always(model: PredictionServiceAsyncClient) -> None:
    lead = turn("sandbox:malformed-answer")
    for _ in range(3):
        assert read(await generate(model, lead))["lead_score"] == "very high"


async def test_an_unknown_model_is_not_found_and_a_bad_path_is_invalid(model: PredictionServiceAsyncClient) -> None:
    with pytest.raises(exceptions.NotFound):
        await generate(model, turn("hello"), name=MODEL.replace("2.5-flash", "1.0-ultra"))
    with pytest.raises(exceptions.InvalidArgument, match="publishers/google"):
        await generate(model, turn("hello"), name="models/gemini-2.5-flash")


async def test_token_usage_is_kept_per_project(running: Running, model: PredictionServiceAsyncClient) -> None:
    answer = await generate(model, turn("How much is a new roof?"))
    kept = (await running.state("google"))["accounts"]["summit"]["generations"]
    assert kept[0]["labels"] == {"tenant": "summit"}
    assert kept[0]["usage"]["prompt_token_count"] == answer.usage_metadata.prompt_token_count


async def embed(model: PredictionServiceAsyncClient, text: str, size: int = 768) -> list[float]:
    instance = value({"content": text, "task_type": "SEMANTIC_SIMILARITY"})
    answer = await model.predict(
        endpoint=EMBEDDER, instances=[instance], parameters=value({"outputDimensionality": size})
    )
    found: Any = json_format.MessageToDict(ps.PredictResponse.pb(answer).predictions[0])["embeddings"]
    assert found["statistics"]["token_count"] > 0
    return list(found["values"])


async def test_similar_texts_have_near_unit_vectors(model: PredictionServiceAsyncClient) -> None:
    leak = await embed(model, "water is leaking through the bedroom ceiling after the storm")
    drip = await embed(model, "the ceiling of the bedroom is leaking water")
    pitch = await embed(model, "guaranteed first page rankings for your business")
    assert len(leak) == 768
    assert sum(x * x for x in leak) == pytest.approx(1, abs=1e-6)

    def cosine(left: list[float], right: list[float]) -> float:
        return sum(a * b for a, b in zip(left, right, strict=True))

    assert cosine(leak, drip) > 0.4 > cosine(leak, pitch)
    assert await embed(model, "the ceiling of the bedroom is leaking water") == drip


async def test_embed_content_answers_one_vector(model: PredictionServiceAsyncClient) -> None:
    request = ps.EmbedContentRequest(model=EMBEDDER, content=turn("a leaking roof"), output_dimensionality=256)
    answer = await model.embed_content(request=request)
    assert len(answer.embedding.values) == 256


async def test_more_dimensions_than_the_model_has_are_refused(model: PredictionServiceAsyncClient) -> None:
    with pytest.raises(exceptions.InvalidArgument, match="outputDimensionality"):
        await embed(model, "a roof", size=5_000)
