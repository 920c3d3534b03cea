"""The vendor's side of a step: one call under a deadline, after a look-up where its effect may have happened already.

The deadline covers look-ups and quick retries, and lies inside the lease of whoever calls. A call that is cut off there
is `EffectUnknown`; a look-up that is cut off tells nothing and is tried again later.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from connectors.crm.seam import (
    ConnectorError,
    CrmConnector,
    Delivered,
    Effects,
    EffectUnknown,
    PermanentRefusal,
    Retryable,
    Work,
)
from consumers.creations import Creations
from consumers.ledger import LedgerEffects, Sleep
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.seam import Park
from schemas.decision import OnUnknown, Operation
from schemas.delivery import DeliveryOrder


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of one order; `deadline` is by the event loop's time."""

    crm: CrmConnector
    order: DeliveryOrder
    deadline: float
    failpoints: Failpoints
    sleep: Sleep

    async def claimed(self, work: Callable[[], Work], effects: Creations | LedgerEffects) -> Delivered:
        """Under claims of ours: look up what may have happened, else do it; then the claims are done.

        `work` is asked anew after a look-up, which may have found a part of it.
        """
        delivered = await self._looked_up(work(), effects) if effects.in_doubt else None
        if delivered is None:
            try:
                delivered = await self.made(work(), effects)
            except (PermanentRefusal, EffectUnknown):
                raise
            except ConnectorError:
                await effects.release()
                raise
        self.failpoints.hit("after_vendor_answer_before_done")
        await effects.settle(delivered)
        return delivered

    async def made(self, work: Work, effects: Effects) -> Delivered:
        """The call, with a few quick retries of what had no effect."""
        create = self.order.step.operation is not Operation.UPDATE_CONTACT
        verb = self.crm.create_lead if create else self.crm.update_contact
        try:
            async with asyncio.timeout_at(self.deadline):
                async for attempt in AsyncRetrying(
                    stop=stop_after_attempt(3),
                    wait=wait_exponential_jitter(initial=0.2, max=2.0),
                    retry=retry_if_exception_type(Retryable),
                    sleep=self.sleep,
                    reraise=True,
                ):
                    with attempt:
                        return await verb(work, effects)
        except TimeoutError as error:
            raise EffectUnknown("no answer within the lease", code="timeout") from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _looked_up(self, work: Work, effects: Effects) -> Delivered | None:
        try:
            async with asyncio.timeout_at(self.deadline):
                return await self.crm.reconcile(work, effects)
        except TimeoutError as error:
            raise Retryable("no answer to the look-up within the lease", code="timeout") from error
        except EffectUnknown as error:
            step = self.order.step
            if step.on_unknown is OnUnknown.RETRY:
                return None
            raise Park(
                "effect_unknown",
                f"{step.connector_id}: whether it was sent cannot be told; {error.words}",
                connector_id=step.connector_id,
            ) from error
