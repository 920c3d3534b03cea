"""A Secret Manager on loopback that speaks the vendor's protocol, keeps versions and misbehaves on request."""

import grpc
import grpc.aio
from google.cloud.secretmanager_v1.types import (
    AccessSecretVersionRequest,
    AccessSecretVersionResponse,
    SecretPayload,
)
from google_crc32c import value as crc32c

SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"


class Manager:
    """`versions` by name; `refusals` are statuses for the next calls; `damaged` falsifies the checksum."""

    def __init__(self) -> None:
        self.versions: dict[str, bytes] = {}
        self.refusals: list[grpc.StatusCode] = []
        self.damaged = False
        self.calls = 0
        self.routed: list[str] = []
        self._server: grpc.aio.Server | None = None

    async def start(self) -> str:
        handler = grpc.unary_unary_rpc_method_handler(
            self._access, AccessSecretVersionRequest.deserialize, AccessSecretVersionResponse.serialize
        )
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, {"AccessSecretVersion": handler}),)
        )
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return f"127.0.0.1:{port}"

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)

    async def _access(
        self, request: AccessSecretVersionRequest, context: "grpc.aio.ServicerContext"
    ) -> AccessSecretVersionResponse:
        self.calls += 1
        self.routed.append(dict(context.invocation_metadata())["x-goog-request-params"])
        if self.refusals:
            await context.abort(self.refusals.pop(0), "refused on request")
        if request.name not in self.versions:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"Secret Version [{request.name}] not found.")
        data = self.versions[request.name]
        return AccessSecretVersionResponse(
            name=request.name, payload=SecretPayload(data=data, data_crc32c=crc32c(data) ^ int(self.damaged))
        )
