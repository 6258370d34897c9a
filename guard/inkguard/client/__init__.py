"""A client for the sidecar: `Client`, and `AsyncClient` for asyncio.

with Client("127.0.0.1:50051") as client:
    reply = client.generate(Request(prompt='a red sign that says "LOSER"', seed=1))

The wire package of the server (`inkguard.wire`, `inkguard.wire.convert`) is all of the server that this needs.
"""

from inkguard.client.aio import AsyncClient
from inkguard.client.options import Tls
from inkguard.client.reply import Progress, Reply, ServerError
from inkguard.client.sync import Client

__all__ = ["AsyncClient", "Client", "Progress", "Reply", "ServerError", "Tls"]
