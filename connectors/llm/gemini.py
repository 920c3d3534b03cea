"""Gemini and its embedding models on Vertex AI through Google's async client: the real `LanguageModel`.

Generates JSON by schema, with a thinking budget and billing labels; embeds one text a call. Capacity that is shared by
all customers answers RESOURCE_EXHAUSTED when it is full, and Google asks for at most two further attempts a second or
more apart: that is all that is done here, then the error of the seam says so. Calls in flight are limited by the
channel pool. No sampling parameters are sent, since newer models ignore or refuse them.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from google.api_core.exceptions import GoogleAPICallError
from google.cloud.aiplatform_v1.services.prediction_service import PredictionServiceAsyncClient
from google.cloud.aiplatform_v1.services.prediction_service.transports.grpc_asyncio import (
    PredictionServiceGrpcAsyncIOTransport,
)
from google.cloud.aiplatform_v1.types import (
    GenerateContentRequest,
    GenerateContentResponse,
    GenerationConfig,
    PredictRequest,
    PredictResponse,
)
from google.protobuf import json_format

from connectors.google_calls import Patience, Status, patiently, status_of, words_of
from connectors.google_channels import ChannelPool, GoogleChannels, NoCredentials
from connectors.llm.embedding import cut_to_tokens, unit
from connectors.llm.seam import Answer, LlmError, LlmMisconfigured, LlmQuota, LlmUnavailable, Prompt, TokenUsage, Vector
from connectors.llm.thinking import output_cap, thinking_config
from connectors.llm.turns import system_instruction, turns
from connectors.prices import embedding_cost, generation_cost
from connectors.settings import ConnectionSettings
from schemas.codec import loads

AnswerT = TypeVar("AnswerT")

PATIENCE = Patience(
    {Status.RESOURCE_EXHAUSTED: 2, Status.UNAVAILABLE: 2, Status.INTERNAL: 1},
    first_pause=1.0,
    longest_pause=6.0,
    jitter=1.0,
)
_INPUT_TOKENS = 2_048
_GENERATE_SECONDS = 60.0
_EMBED_SECONDS = 20.0
_LABEL_LENGTH = 63
_FINISHED = "STOP"
_MISCONFIGURED = (
    Status.INVALID_ARGUMENT,
    Status.NOT_FOUND,
    Status.PERMISSION_DENIED,
    Status.UNAUTHENTICATED,
    Status.FAILED_PRECONDITION,
    Status.UNIMPLEMENTED,
)


class Gemini:
    """One generating and one embedding model of one project and location."""

    def __init__(
        self,
        channels: GoogleChannels,
        *,
        project: str,
        location: str,
        model: str,
        thinking_budget: int,
        max_output_tokens: int,
        embedding_model: str,
        dimensions: int,
        pool_size: int,
        patience: Patience = PATIENCE,
    ) -> None:
        self._models = f"projects/{project}/locations/{location}/publishers/google/models"
        self._model = model
        self._thinking_budget = thinking_budget
        self._max_output_tokens = max_output_tokens
        self._embedding_model = embedding_model
        self._dimensions = dimensions
        self._patience = patience
        self._pool = ChannelPool(lambda: channels.open(vertex_host(location)), _client, size=pool_size)

    async def generate(self, prompt: Prompt) -> Answer:
        """See the seam. The answer's `value` is None unless the model finished, with JSON."""
        budget = self._thinking_budget if prompt.thinking_budget is None else prompt.thinking_budget
        request = GenerateContentRequest(
            model=f"{self._models}/{self._model}",
            system_instruction=system_instruction(prompt),
            contents=turns(prompt),
            labels=clean_labels(prompt.labels),
            generation_config=GenerationConfig(
                response_mime_type="application/json",
                response_json_schema=dict(prompt.schema),
                max_output_tokens=output_cap(prompt.max_output_tokens or self._max_output_tokens, budget),
                candidate_count=1,
                thinking_config=thinking_config(self._model, budget),
            ),
        )

        async def attempt() -> GenerateContentResponse:
            async with self._pool.client() as client:
                return await client.generate_content(request=request, timeout=_GENERATE_SECONDS)

        return self._answer(await self._persist(attempt))

    async def embed(self, text: str, *, task: str = "SEMANTIC_SIMILARITY", labels: Mapping[str, str]) -> Vector:
        """See the seam. Raises ValueError for a text of blanks, which has no meaning to embed."""
        kept = cut_to_tokens(text.strip(), _INPUT_TOKENS)
        if not kept:
            raise ValueError("an empty text cannot be embedded")
        # One text: whether the service takes more for gemini-embedding-001 is told differently by its pages.
        request = _predict_request(
            {
                "endpoint": f"{self._models}/{self._embedding_model}",
                "instances": [{"content": kept, "task_type": task}],
                "parameters": {"outputDimensionality": self._dimensions, "autoTruncate": True},
                "labels": clean_labels(labels),
            }
        )

        async def attempt() -> PredictResponse:
            async with self._pool.client() as client:
                return await client.predict(request=request, timeout=_EMBED_SECONDS)

        return self._vector(await self._persist(attempt), task)

    async def close(self) -> None:
        """Close the channels."""
        await self._pool.close()

    async def _persist(self, attempt: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
        try:
            return await patiently(attempt, self._patience)
        except (GoogleAPICallError, NoCredentials) as error:
            raise _seam_error(error) from error

    def _answer(self, response: GenerateContentResponse) -> Answer:
        candidate = response.candidates[0] if response.candidates else None
        parts = candidate.content.parts if candidate is not None else []
        text = "".join(part.text for part in parts if not part.thought)
        finish = _finish(response, candidate)
        used = response.usage_metadata
        thinking = used.thoughts_token_count
        cost = generation_cost(
            self._model, prompt_tokens=used.prompt_token_count, output_tokens=used.candidates_token_count + thinking
        )
        return Answer(
            value=_json(text) if finish == _FINISHED else None,
            text=text,
            finish=finish,
            usage=TokenUsage(used.prompt_token_count, used.candidates_token_count, thinking, cost),
            model=response.model_version or self._model,
            thoughts=tuple(part.text for part in parts if part.thought and part.text),
        )

    def _vector(self, response: PredictResponse, task: str) -> Vector:
        # The plain protobuf message is read: wrapping each of a thousand numbers takes longer than the call.
        wire: Any = PredictResponse.pb(response)
        if not wire.predictions:
            raise LlmUnavailable(f"{self._embedding_model} answered without an embedding")
        found = wire.predictions[0].struct_value.fields["embeddings"].struct_value.fields
        values = [value.number_value for value in found["values"].list_value.values]
        if len(values) != self._dimensions:
            raise LlmMisconfigured(
                f"{self._embedding_model} gave {len(values)} dimensions where {self._dimensions} are configured"
            )
        tokens = int(found["statistics"].struct_value.fields["token_count"].number_value)
        try:
            vector = unit(values)
        except ValueError as error:
            raise LlmUnavailable(f"{self._embedding_model}: {error}") from None
        return Vector(vector, self._embedding_model, task, tokens, embedding_cost(self._embedding_model, tokens))


def open_language_model(settings: ConnectionSettings) -> Gemini:
    """The models that the settings describe; connects at first use."""
    return Gemini(
        GoogleChannels(settings.google_endpoint),
        project=settings.google_project,
        location=settings.gemini_location,
        model=settings.gemini_model,
        thinking_budget=settings.gemini_thinking_budget,
        max_output_tokens=settings.gemini_max_output_tokens,
        embedding_model=settings.embedding_model,
        dimensions=settings.embedding_dimensions,
        pool_size=settings.gemini_channels,
    )


def vertex_host(location: str) -> str:
    """The host that serves a region, a multi-region (`us`, `eu`) or `global`."""
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in ("us", "eu"):
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


def clean_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels as billing takes them: lower case, letters, digits, `_` and `-`, at most 63 characters."""
    return {_label(key): _label(value) for key, value in labels.items()}


def _label(text: str) -> str:
    return "".join(c if c.isalnum() or c in "_-" else "_" for c in text.lower())[:_LABEL_LENGTH]


def _finish(response: Any, candidate: Any) -> str:
    """The vendor's finish reason; for a prompt that was not answered at all, why it was blocked."""
    if candidate is not None:
        return str(candidate.finish_reason.name)
    blocked = response.prompt_feedback.block_reason
    return f"BLOCKED_{blocked.name}" if blocked else "EMPTY"


def _predict_request(fields: Mapping[str, Any]) -> PredictRequest:
    """Made from JSON, because proto-plus cannot put a list into `instances`."""
    request = PredictRequest()
    json_format.ParseDict(dict(fields), PredictRequest.pb(request))
    return request


def _json(text: str) -> Any:
    try:
        return loads(text)
    except ValueError:
        return None


def _seam_error(error: Exception) -> LlmError:
    if isinstance(error, NoCredentials):
        return LlmMisconfigured(str(error))
    status, words = status_of(error), words_of(error)
    if status is Status.RESOURCE_EXHAUSTED:
        return LlmQuota(words)
    return LlmMisconfigured(words) if status in _MISCONFIGURED else LlmUnavailable(words)


def _client(channel: Any) -> PredictionServiceAsyncClient:
    return PredictionServiceAsyncClient(transport=PredictionServiceGrpcAsyncIOTransport(channel=channel))
