"""Pipedrive: persons, leads and notes, without upserts: the ledger, a look-up and `origin_id` keep effects single."""

from connectors.crm.registry import Opening, Registration
from connectors.crm.seam import CrmConnector
from connectors.crm.vendors.pipedrive.settings import PipedriveSettings
from schemas.decision import ConnectorKind


def _open(opening: Opening) -> CrmConnector:
    settings, token = opening.settings(PipedriveSettings), opening.credential()
    from connectors.crm.vendors.pipedrive.api import PipedriveApi
    from connectors.crm.vendors.pipedrive.connector import PipedriveConnector

    api = PipedriveApi(
        opening.transports.http(),
        opening.slots,
        base_url=opening.connections.pipedrive_url or settings.company_url,
        token=token,
        oauth=settings.auth == "oauth",
        scope=f"pipedrive:{opening.tenant_id}/{opening.connector_id}",
        now=opening.now,
    )
    return PipedriveConnector(api, settings, opening.now)


REGISTRATION = Registration(ConnectorKind.PIPEDRIVE, False, PipedriveSettings, _open)
