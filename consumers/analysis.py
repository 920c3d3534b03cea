"""The analysis daemon: `inbound.messages` and `transcribed` in, `analyzed` out.

A lead whose words say nothing, or whose score cannot be had (blocked, outside the schema twice), goes on unscored with
the reason, and the rules see that. The same words are paid for once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from connectors.bundles.live import LiveBundles
from connectors.llm.seam import LanguageModel, LlmMisconfigured, LlmQuota, LlmUnavailable, Prompt, TokenUsage
from connectors.recordings.seam import Objects, ObjectsUnavailable
from connectors.store.seam import Scope, Store
from consumers.own_parts import patient, unnamed
from consumers.paid import kept, paid_once
from consumers.publishing import ends_dead, interim_ended, publication
from consumers.runtime.clock import Clock
from consumers.runtime.seam import DaemonSpec, Park, Publication, Record, RetryAfter
from consumers.scoring import (
    PROMPT_VERSION,
    Verdict,
    answer_schema,
    content_of,
    fenced,
    instructions,
    read_verdict,
)
from schemas import codec, topics
from schemas.base import Section
from schemas.delivery import Outcome
from schemas.documents import Analysis, AnalysisState, Analyzed, Document, Embedding, Inbound, Transcribed, Usage, grow
from schemas.tenant import IntakeBundle

EMBEDDING_TASK = "SEMANTIC_SIMILARITY"


@dataclass(frozen=True, slots=True)
class AnalysisDaemon:
    """The daemon's handler and the parts it works with."""

    tenants: LiveBundles[IntakeBundle]
    llm: LanguageModel
    objects: Objects
    store: Store
    clock: Clock
    model: str
    embedding_model: str
    thinking_budget: int

    async def handle(self, record: Record[Document]) -> Sequence[Publication]:
        """One message, or one transcribed call."""
        document = record.document
        if isinstance(document, Inbound) and document.unparsed is not None:
            return ()  # routing parks it
        assert isinstance(document, Inbound | Transcribed)
        envelope = document.envelope
        if envelope.interim:
            return (interim_ended(record, self.clock.now()),)
        tenant = self.tenants.get(envelope.tenant_id)
        if tenant is None:
            raise unnamed(
                "unknown_tenant", "no live bundle names this tenant", loaded=self.tenants.loaded, record=record
            )
        text = document.transcript.text if isinstance(document, Transcribed) else ""
        content = content_of(document.lead, text)
        started = self.clock.monotonic()
        try:
            analysis = await self._analyze(tenant, instructions(tenant, envelope.mode), content, envelope.event_id)
        except LlmQuota as error:
            raise RetryAfter("llm_quota", str(error), delay=error.delay) from error
        except LlmUnavailable as error:
            raise RetryAfter("llm_unavailable", str(error)) from error
        except LlmMisconfigured as error:
            raise Park("llm_misconfigured", str(error)) from error
        analysis = analysis.model_copy(update={"seconds": round(self.clock.monotonic() - started, 3)})
        grown = grow(record.json, analysis=analysis)
        return (publication(topics.ANALYZED, Analyzed, envelope, grown),)

    async def _analyze(self, tenant: IntakeBundle, told: str, content: str, event_id: str) -> Analysis:
        if not content:
            return Analysis(state=AnalysisState.SKIPPED, reason="nothing_to_read")
        budget = tenant.ai.thinking_budget if tenant.ai.thinking_budget is not None else self.thinking_budget
        wanted = codec.digest([PROMPT_VERSION, self.model, budget, told, content])
        scope = Scope(tenant.tenant)
        scored = await paid_once(
            self.store,
            scope,
            "analysis",
            wanted,
            Analysis,
            lambda: self._ask(tenant, told, content, budget),
            payer=event_id,
            sleep=self.clock.sleep,
        )
        if not tenant.ai.embedding_enabled:
            return scored
        wanted = codec.digest([self.embedding_model, EMBEDDING_TASK, content])
        embedded = await paid_once(
            self.store,
            scope,
            "embedding",
            wanted,
            Embedded,
            lambda: self._embed(tenant, content),
            payer=event_id,
            sleep=self.clock.sleep,
        )
        usage = scored.usage.model_copy(
            update={
                "embedding_tokens": embedded.tokens,
                "cost_usd": round(scored.usage.cost_usd + embedded.cost_usd, 8),
            }
        )
        return scored.model_copy(update={"embedding": embedded.embedding, "usage": usage})

    async def _ask(self, tenant: IntakeBundle, told: str, content: str, budget: int) -> Analysis:
        prompt = Prompt(
            instructions=told,
            content=fenced(content),
            schema=answer_schema(),
            labels={"tenant": tenant.tenant},
            thinking_budget=budget,
        )
        answer = await self.llm.generate(prompt)
        usage = _spent(Usage(), answer.usage)
        verdict, complaint = read_verdict(answer.value)
        repaired = False
        if verdict is None and answer.finish in ("STOP", "MAX_TOKENS"):
            again = Prompt(
                instructions=told,
                content=prompt.content,
                schema=prompt.schema,
                labels=prompt.labels,
                thinking_budget=budget,
                previous_answer=answer.text,
                complaint=complaint,
            )
            answer = await self.llm.generate(again)
            usage = _spent(usage, answer.usage)
            verdict, complaint = read_verdict(answer.value)
            repaired = verdict is not None
        thinking_ref = None
        if answer.thoughts:
            steps = codec.canonical(list(answer.thoughts))
            thinking_ref = await kept(self.objects, tenant.tenant, "thinking", steps, sleep=self.clock.sleep)
        if verdict is None:
            blocked = f"blocked_{answer.finish.removeprefix('BLOCKED_')}"
            reason = "answer_outside_schema" if answer.finish in ("STOP", "MAX_TOKENS") else blocked
            return Analysis(
                state=AnalysisState.UNSCORED,
                reason=reason.lower(),
                model=answer.model,
                prompt_version=PROMPT_VERSION,
                thinking_ref=thinking_ref,
                usage=usage,
            )
        return analysis_of(verdict, answer.model, usage, repaired=repaired, thinking_ref=thinking_ref)

    async def _embed(self, tenant: IntakeBundle, content: str) -> "Embedded":
        vector = await self.llm.embed(content, task=EMBEDDING_TASK, labels={"tenant": tenant.tenant})
        packed = np.asarray(vector.values, dtype="<f4").tobytes()
        ref = await kept(self.objects, tenant.tenant, "embedding", packed, sleep=self.clock.sleep)
        if ref is None:
            raise ObjectsUnavailable("the embedding could not be kept")
        embedding = Embedding(ref=ref, model=vector.model, dimensions=len(vector.values), task=vector.task)
        return Embedded(embedding=embedding, tokens=vector.tokens, cost_usd=vector.cost_usd)


class Embedded(Section):
    """A paid embedding as it is kept for reuse."""

    embedding: Embedding
    tokens: int
    cost_usd: float

    def as_reused(self) -> "Embedded":
        """The same, with nothing spent."""
        return self.model_copy(update={"tokens": 0, "cost_usd": 0.0})


def analysis_of(
    verdict: Verdict, model: str, usage: Usage, *, repaired: bool = False, thinking_ref: str | None = None
) -> Analysis:
    """The section of the document for an accepted answer."""
    return Analysis.model_validate(
        {
            **verdict.model_dump(),
            "state": AnalysisState.DONE,
            "model": model,
            "prompt_version": PROMPT_VERSION,
            "usage": usage,
            "repaired": repaired,
            "thinking_ref": thinking_ref,
        }
    )


def _spent(usage: Usage, call: TokenUsage) -> Usage:
    return Usage(
        prompt_tokens=usage.prompt_tokens + call.prompt,
        answer_tokens=usage.answer_tokens + call.answer,
        thinking_tokens=usage.thinking_tokens + call.thinking,
        embedding_tokens=usage.embedding_tokens,
        cost_usd=round(usage.cost_usd + call.cost_usd, 8),
    )


def spec(handler: AnalysisDaemon) -> DaemonSpec[Document]:
    """The daemon."""
    return DaemonSpec(
        name="analysis",
        description="Has Gemini score what was said or written, and embeds it.",
        topics={
            topics.INBOUND_MESSAGES: Inbound,
            topics.overflow(topics.INBOUND_MESSAGES): Inbound,
            topics.TRANSCRIBED: Transcribed,
        },
        publishes={topics.ANALYZED: Analyzed, topics.OUTCOMES: Outcome},
        handler=patient(handler.handle),
        on_dead=ends_dead("analysis", handler.clock),
        handler_timeout=180.0,
    )
