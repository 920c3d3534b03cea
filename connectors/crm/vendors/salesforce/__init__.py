"""Salesforce: leads (or contacts) and tasks by upsert on External ID fields."""

from connectors.crm.registry import Opening, Registration
from connectors.crm.seam import CrmConnector
from connectors.crm.slots import WIDTH
from connectors.crm.vendors.salesforce.settings import SalesforceSettings
from schemas.decision import ConnectorKind


def _open(opening: Opening) -> CrmConnector:
    settings, token = opening.settings(SalesforceSettings), opening.credential()
    # The client library brings a SOAP stack that costs 0.8 s; only a process that delivers to Salesforce pays it.
    from connectors.crm.vendors.salesforce.api import SalesforceApi
    from connectors.crm.vendors.salesforce.connector import SalesforceConnector
    from connectors.crm.vendors.salesforce.session import SalesforceSession

    session = SalesforceSession(
        settings.instance_url,
        reach=opening.connections.salesforce_url,
        timeouts=opening.transports.timeouts,
        width=WIDTH,
    )
    api = SalesforceApi(session, token=token, settings=settings)
    scope = f"salesforce:{opening.tenant_id}/{opening.connector_id}"
    return SalesforceConnector(api, settings, opening.slots, scope=scope, secret=token, now=opening.now)


REGISTRATION = Registration(ConnectorKind.SALESFORCE, True, SalesforceSettings, _open)
