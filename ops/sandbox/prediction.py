"""Vertex AI's PredictionService: structured answers by the words of the prompt, embeddings, and honest token counts.

GenerateContent reads the first user turn (never the system instruction), and answers JSON that fits the schema in the
request. Thoughts cost tokens up to the budget; an answer above `max_output_tokens` is cut with MAX_TOKENS, as at
the vendor. Two marks in the content ask for bad answers: `sandbox:malformed-answer` always, and
`sandbox:malformed-answer-once` the first time for that content. Source: Vertex AI API reference, aiplatform_v1.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import grpc
from google.cloud.aiplatform_v1.types import content as content_types
from google.cloud.aiplatform_v1.types import prediction_service as ps
from google.cloud.aiplatform_v1.types import usage_metadata as usage_types
from google.protobuf import json_format

from ops.sandbox import answers, embeddings, scoring
from ops.sandbox.prompts import cut_to_limit, schema_of, text_of, thought_tokens, words_of
from ops.sandbox.refusal import GrpcRefused, invalid, resource_parts
from ops.sandbox.world import JsonObject, World

_MODEL: Final = "projects/{}/locations/{}/publishers/google/models/{}"
_GENERATING: Final = re.compile(r"gemini-(?:2\.5|3(?:\.\d)?)-(?:pro|flash(?:-lite)?)(?:-[\w.-]+)?")
# Default size, and the largest that outputDimensionality may ask for.
_EMBEDDING: Final = {"gemini-embedding-001": 3072, "text-embedding-005": 768, "gemini-embedding-2": 3072}
_INPUT_TOKENS_MAX: Final = 2_048
_TEXTS_MAX: Final = 250
_ALWAYS_BAD: Final = re.compile(r"sandbox:malformed-answer(?!-once)")
_BAD_ONCE: Final = "sandbox:malformed-answer-once"
_BAD_TEXT: Final = "this answer is outside the schema on purpose"
_KEPT: Final = 10_000


class Prediction:
    """State: generations with their token usage, and embedding calls, per project."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._generations: dict[str, deque[JsonObject]] = {}
        self._embeddings: dict[str, deque[JsonObject]] = {}
        self._malformed: set[str] = set()
        self._answered = 0

    def methods(self, method: Callable[..., Any]) -> dict[str, Any]:
        """The RPCs of the service, made with the given constructor."""
        return {
            "GenerateContent": method(
                self.generate_content, ps.GenerateContentRequest, ps.GenerateContentResponse, "model"
            ),
            "Predict": method(self.predict, ps.PredictRequest, ps.PredictResponse, "endpoint"),
            "EmbedContent": method(self.embed_content, ps.EmbedContentRequest, ps.EmbedContentResponse, "model"),
        }

    def accounts(self) -> JsonObject:
        projects = sorted({*self._generations, *self._embeddings})
        return {
            project: {
                "generations": list(self._generations.get(project, ())),
                "embeddings": list(self._embeddings.get(project, ())),
            }
            for project in projects
        }

    def forget(self) -> None:
        self._generations.clear()
        self._embeddings.clear()
        self._malformed.clear()

    def generate_content(self, request: Any) -> Any:
        """One candidate with JSON (or a sentence, when no JSON was asked for)."""
        project, _, model = resource_parts(request.model, _MODEL)
        if _GENERATING.fullmatch(model) is None:
            raise _no_model(request.model)
        config = request.generation_config
        turns = [(turn.role or "user", text_of(turn)) for turn in request.contents]
        said = next((text for role, text in turns if role == "user" and text), "")
        if not said:
            raise invalid("contents must hold at least one user turn with text")
        if turns[-1][0] == "model":
            raise invalid("the last turn must be the user's")
        schema = schema_of(config)
        if schema and config.response_mime_type != "application/json":
            raise invalid("a response schema needs response_mime_type application/json")
        reading = scoring.read(words_of(said))
        malformed = self._must_be_malformed(project, said, turns)
        text = _bad_answer(reading) if malformed else _answer(config, schema, reading)
        system = text_of(request.system_instruction) if request.system_instruction else ""
        prompt_tokens = embeddings.tokens(" ".join([system, *(text for _, text in turns)]))
        thoughts = thought_tokens(config, said)
        text, finish, answer_tokens = cut_to_limit(text, thoughts, config.max_output_tokens)
        parts = [content_types.Part(text=text)]
        if thoughts and config.thinking_config.include_thoughts:
            parts.insert(0, content_types.Part(text=" ".join(reading.reasons), thought=True))
        usage = {
            "prompt_token_count": prompt_tokens, "candidates_token_count": answer_tokens,
            "thoughts_token_count": thoughts, "total_token_count": prompt_tokens + answer_tokens + thoughts,
        }  # fmt: skip
        self._generations.setdefault(project, deque(maxlen=_KEPT)).append(
            {
                "model": model, "labels": dict(request.labels), "usage": usage, "malformed": malformed,
                "content_sha256": _sha(said), "turns": len(turns), "finish_reason": finish.name,
                "lead_score": reading.lead_score, "spam_likelihood": reading.spam,
            }
        )  # fmt: skip
        self._answered += 1
        return ps.GenerateContentResponse(
            candidates=[
                content_types.Candidate(
                    index=0, content=content_types.Content(role="model", parts=parts), finish_reason=finish
                )
            ],
            model_version=model,
            response_id=f"sandbox-{self._answered}",
            usage_metadata=ps.GenerateContentResponse.UsageMetadata(**usage),
        )

    def predict(self, request: Any) -> Any:
        """Embeddings of one or more `{"content", "task_type"}` instances."""
        project, _, model = resource_parts(request.endpoint, _MODEL)
        wire = ps.PredictRequest.pb(request)
        instances = [json_format.MessageToDict(instance) for instance in wire.instances]
        parameters = json_format.MessageToDict(wire.parameters) if wire.HasField("parameters") else {}
        if not 1 <= len(instances) <= _TEXTS_MAX:
            raise invalid(f"instances must hold 1 to {_TEXTS_MAX} texts")
        size = _dimensions(model, request.endpoint, parameters.get("outputDimensionality"))
        answer = ps.PredictResponse(model=request.endpoint, model_display_name=model)
        predictions = ps.PredictResponse.pb(answer).predictions
        for instance in instances:
            text = instance.get("content") if isinstance(instance, dict) else None
            if not isinstance(text, str) or not text.strip():
                raise invalid("every instance needs a content text that is not empty")
            values, count, cut = self._embed(project, model, text, size, instance.get("task_type"))
            statistics = {"token_count": count, "truncated": cut}
            predictions.add().struct_value.update({"embeddings": {"values": values, "statistics": statistics}})
        return answer

    def embed_content(self, request: Any) -> Any:
        """The embedding of one content."""
        project, _, model = resource_parts(request.model, _MODEL)
        text = text_of(request.content)
        if not text.strip():
            raise invalid("content must hold text")
        size = _dimensions(model, request.model, request.output_dimensionality or None)
        values, count, cut = self._embed(project, model, text, size, None)
        return ps.EmbedContentResponse(
            embedding=ps.EmbedContentResponse.Embedding(values=values),
            usage_metadata=usage_types.UsageMetadata(prompt_token_count=count, total_token_count=count),
            truncated=cut,
        )

    def _embed(self, project: str, model: str, text: str, size: int, task: str | None) -> tuple[list[float], int, bool]:
        """Vector, token count and whether the text was cut to the model's input limit."""
        count = embeddings.tokens(text)
        kept = text.split()[: int(_INPUT_TOKENS_MAX / 1.3)] if count > _INPUT_TOKENS_MAX else text.split()
        self._embeddings.setdefault(project, deque(maxlen=_KEPT)).append(
            {"model": model, "dimensions": size, "task_type": task, "token_count": count, "content_sha256": _sha(text)}
        )
        return embeddings.vector(" ".join(kept), size), min(count, _INPUT_TOKENS_MAX), count > _INPUT_TOKENS_MAX

    def _must_be_malformed(self, project: str, said: str, turns: list[tuple[str, str]]) -> bool:
        if _ALWAYS_BAD.search(said):
            return True
        if _BAD_ONCE not in said:
            return False
        # A repair quotes the bad answer, in a turn of its own or in the same one.
        if any(role == "model" for role, _ in turns) or any(_BAD_TEXT in text for _, text in turns):
            return False
        key = f"{project}/{_sha(said)}"
        first_time = key not in self._malformed
        self._malformed.add(key)
        return first_time


def _no_model(name: str) -> GrpcRefused:
    message = f"Publisher Model `{name}` was not found or your project does not have access to it."
    return GrpcRefused(grpc.StatusCode.NOT_FOUND, message)


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _answer(config: Any, schema: JsonObject, reading: scoring.Reading) -> str:
    if config.response_mime_type != "application/json":
        return f"{reading.summary} Score {reading.lead_score} of 100. {' '.join(reading.reasons)}"
    return json.dumps(answers.build(schema, reading), ensure_ascii=False)


def _bad_answer(reading: scoring.Reading) -> str:
    return json.dumps({"lead_score": "very high", "note": _BAD_TEXT, "words": len(reading.summary)})


def _dimensions(model: str, name: str, wanted: Any) -> int:
    largest = _EMBEDDING.get(model)
    if largest is None:
        raise _no_model(name)
    size = int(wanted) if wanted is not None else largest
    if not 1 <= size <= largest:
        raise invalid(f"outputDimensionality must be 1 to {largest} for {model}")
    return size
