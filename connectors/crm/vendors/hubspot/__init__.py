"""HubSpot: contacts, deals, notes (tasks, tickets) by upsert on a unique property."""

from connectors.crm.registry import Opening, Registration
from connectors.crm.seam import CrmConnector
from connectors.crm.vendors.hubspot.settings import HubSpotSettings
from schemas.decision import ConnectorKind


def _open(opening: Opening) -> CrmConnector:
    settings, token = opening.settings(HubSpotSettings), opening.credential()
    # The client library costs 0.3 s to import; only a process that delivers to HubSpot pays it.
    from connectors.crm.vendors.hubspot.api import HubSpotApi
    from connectors.crm.vendors.hubspot.connector import HubSpotConnector

    api = HubSpotApi(
        host=opening.connections.hubspot_url,
        token=token,
        pool=opening.transports.urllib3_pool(),
        timeouts=opening.transports.timeouts,
    )
    scope = f"hubspot:{opening.tenant_id}/{opening.connector_id}"
    return HubSpotConnector(api, settings, opening.slots, scope=scope, secret=token, now=opening.now)


REGISTRATION = Registration(ConnectorKind.HUBSPOT, True, HubSpotSettings, _open)
