"""The vendor sandbox: servers on loopback that speak the vendors' own protocols and keep state.

The real client libraries (Speech V2, PredictionService, hubspot-api-client, simple-salesforce, plain HTTP for
Pipedrive, SendGrid and CallRail) talk to it unchanged: only endpoints and credentials differ from production.
Each vendor's module checks what that vendor checks and refuses in the vendor's own shape, so that a mistake in
a connector shows here and not in a tenant's account. `ops.sandbox.server` holds the `Sandbox` class.
"""
