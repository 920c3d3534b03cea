"""The delivery daemon: `deliver.*` in, the tenant's CRM, mailbox or API changed once, outcomes and the next order out.

`Delivery.handle` says what becomes of an order before anybody is called (expired, test lead, record mode); the two ways
of doing it once are in `consumers/effects.py`; what the vendor's refusals mean is in `failures` below.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from connectors.bundles.live import LiveBundles
from connectors.crm.opening import ConnectorPool
from connectors.crm.seam import (
    AuthBroken,
    ConfigBroken,
    EffectUnknown,
    PermanentRefusal,
    QuotaSpent,
    RateLimited,
    Retryable,
)
from connectors.secrets.seam import SecretMissing, Secrets, SecretUnavailable
from consumers.effects import Effector
from consumers.own_parts import patient, unnamed
from consumers.plan import finished
from consumers.runtime.clock import Clock
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.failures import answer_of
from consumers.runtime.seam import DaemonSpec, Failure, Park, Permanent, Publication, Record, RetryAfter
from schemas.decision import Operation
from schemas.decision import Scope as StepScope
from schemas.delivery import DeliveryOrder, FinalState, Outcome
from schemas.tenant import Connector, IntakeBundle
from schemas.topics import DELIVER

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """The daemon's handler and the parts it works with."""

    tenants: LiveBundles[IntakeBundle]
    connectors: ConnectorPool
    secrets: Secrets
    effector: Effector
    failpoints: Failpoints
    clock: Clock

    async def handle(self, record: Record[DeliveryOrder]) -> Sequence[Publication]:
        """One order."""
        order = record.document
        tenant = self.tenants.get(order.envelope.tenant_id)
        if tenant is None:
            raise unnamed(
                "unknown_tenant", "no live bundle names this tenant", loaded=self.tenants.loaded, record=record
            )
        connector = tenant.connector(order.step.connector_id)
        if connector is None:
            raise unnamed(
                "unknown_connector",
                f"the tenant has no connector {order.step.connector_id}",
                loaded=self.tenants.loaded,
                record=record,
                connector_id=order.step.connector_id,
            )
        if StepScope.OTHER is order.step.scope or Operation.OTHER is order.step.operation:
            raise Park("newer_step", "a newer daemon is needed to carry out this kind of step", update=True)
        early = await self._without_calling(order, connector)
        if early is not None:
            state, reason = early
            return finished(order, record.json, state, reason, self.clock.now())
        with failures(order, connector):
            secret = await self.secrets.get(tenant.tenant, connector.secret) if connector.secret else None
            async with self.connectors.using(tenant.tenant, connector, secret) as crm:
                if order.step.scope is StepScope.RECORD:
                    done = await self.effector.write_records(order, crm)
                else:
                    done = await self.effector.send_once(order, crm, answer_of(record.headers))
        self.failpoints.hit("after_done_before_continuation")
        return finished(
            order, record.json, done.state, done.reason, self.clock.now(), remote_ids=done.remote_ids, url=done.url
        )

    async def _without_calling(self, order: DeliveryOrder, connector: Connector) -> tuple[FinalState, str] | None:
        if order.envelope.test and not connector.accept_test:
            return FinalState.RECORDED, f"test lead: connector {connector.id} does not take test leads"
        if connector.mode == "record":
            return FinalState.RECORDED, f"connector {connector.id} is in record mode: nothing was sent"
        expires = order.step.expires_at
        if expires is not None and expires <= self.clock.now() and not await self.effector.begun(order):
            return FinalState.EXPIRED, f"the step was to be done by {expires.isoformat()}"
        return None


@contextmanager
def failures(order: DeliveryOrder, connector: Connector) -> Iterator[None]:
    """What becomes of the order when the connector or the secret fails; the store is a matter of `patient`."""
    give_up = order.step.give_up_after_hours * HOUR
    name = connector.id
    try:
        yield
    except PermanentRefusal as error:
        raise Permanent("crm_refused", f"{name}: {error}") from error
    except RateLimited as error:
        raise RetryAfter("crm_rate_limited", f"{name}: {error}", delay=error.delay, give_up_after=give_up) from error
    except (Retryable, EffectUnknown) as error:
        raise RetryAfter("crm_unavailable", f"{name}: {error}", delay=10.0, give_up_after=give_up) from error
    except QuotaSpent as error:
        raise Park("crm_quota", f"{name}: {error}", connector_id=name, due=error.until) from error
    except AuthBroken as error:
        raise Park("crm_auth_broken", f"{name}: {error}", connector_id=name) from error
    except ConfigBroken as error:
        raise Park("crm_config_broken", f"{name}: {error}", connector_id=name) from error
    except SecretMissing as error:
        raise Park("secret_missing", f"{name}: {error}", connector_id=name) from error
    except SecretUnavailable as error:
        raise RetryAfter("secret_unavailable", f"{name}: {error}", delay=10.0) from error


def spec(handler: Delivery, kinds: Sequence[str] = ()) -> DaemonSpec[DeliveryOrder]:
    """The daemon, for all connector kinds or for some."""

    def on_dead(record: Record[DeliveryOrder], failure: Failure) -> Sequence[Publication]:
        reason = failure.detail or failure.reason
        return finished(record.document, record.json, FinalState.DEAD, reason, handler.clock.now())

    taken = {topic for kind, topic in DELIVER.items() if not kinds or kind.value in kinds}
    return DaemonSpec(
        name="delivery" if not kinds else f"delivery-{'-'.join(sorted(kinds))}",
        description="Puts leads into the tenants' CRMs, mailboxes and APIs, once.",
        topics=dict.fromkeys(sorted(taken), DeliveryOrder),
        publishes={**dict.fromkeys(sorted(DELIVER.values()), DeliveryOrder), "outcomes": Outcome},
        handler=patient(handler.handle),
        on_dead=on_dead,
        ordered_by_key=True,
        slots=200,
        handler_timeout=90.0,
    )
