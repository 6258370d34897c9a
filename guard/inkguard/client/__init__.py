"""A client for the sidecar: `Client`, and `AsyncClient` for asyncio.

with Client("127.0.0.1:50051") as client:
    result = client.generate(Request(prompt='a red sign that says "LOSER"', seed=1))

It needs gRPC and the records of `inkguard.types`: no model library, and nothing of the server.
"""

from inkguard.client.aio import AsyncClient
from inkguard.client.options import Tls
from inkguard.client.sync import Client
from inkguard.errors import CallError
from inkguard.types import Progress, Result

__all__ = ["AsyncClient", "CallError", "Client", "Progress", "Result", "Tls"]
