"""E-mail through SendGrid: one mail per order, never sent again on a guess."""

from connectors.crm.registry import Opening, Registration
from connectors.crm.seam import CrmConnector
from connectors.crm.vendors.sendgrid.settings import SendGridSettings
from connectors.settings import ConnectionSettings
from schemas.decision import ConnectorKind

EU_URL = "https://api.eu.sendgrid.com"


def _open(opening: Opening) -> CrmConnector:
    settings, key = opening.settings(SendGridSettings), opening.credential()
    from connectors.crm.vendors.sendgrid.connector import SendGridConnector

    return SendGridConnector(
        opening.transports.http(),
        opening.slots,
        settings,
        base_url=_base_url(opening.connections, settings),
        key=key,
        scope=f"sendgrid:{opening.tenant_id}/{opening.connector_id}",
        now=opening.now,
    )


def _base_url(connections: ConnectionSettings, settings: SendGridSettings) -> str:
    """The region's address, unless the operator has put another in its place."""
    told = connections.sendgrid_url
    is_default = told == ConnectionSettings.model_fields["sendgrid_url"].default
    return EU_URL if settings.region == "eu" and is_default else told.rstrip("/")


REGISTRATION = Registration(ConnectorKind.EMAIL, False, SendGridSettings, _open)
