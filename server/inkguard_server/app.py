"""Wiring, start and the two-stage end of the sidecar."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import suppress
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from inkguard.process import own_process
from inkguard_server.audit import DecisionLog
from inkguard_server.engines import make_engine
from inkguard_server.engines.base import Engine
from inkguard_server.logs import get_logger, set_up_logs
from inkguard_server.metrics import Metrics, MetricsServer
from inkguard_server.rpc import SERVICE, handlers
from inkguard_server.service import GuardService
from inkguard_server.settings import Settings, SettingsError, TlsSettings

__all__ = ["Sidecar", "serve"]

_SECONDS_TO_RECORD = 5.0
_log = get_logger(__name__)


class Sidecar:
    """A running server around an `engine`. `address` and `metrics_address` are HOST:PORT, with the ports really taken."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings, self.engine = settings, engine
        self._decision_log = DecisionLog(settings.decision_log)
        categories = {c for p in engine.policies.values() for c in p.categories}
        self.metrics = Metrics(categories)
        self.metrics.describe(engine)
        self._service = GuardService(engine, settings, self.metrics, self._decision_log)
        self._health = health.aio.HealthServicer()
        # Without this a second sidecar on the same port would take a share of the requests.
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        self._running: set[asyncio.Task[Any]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._metrics_server: MetricsServer | None = None
        self.address = ""
        self.metrics_address = ""

    async def start(self) -> None:
        """Listen; raises SettingsError for an address or a TLS file that cannot be used."""
        rpcs = handlers(self._service.rpcs, self.metrics, self._running)
        self._server.add_generic_rpc_handlers((rpcs,))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if self._settings.reflection:
            names = (SERVICE.full_name, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
            reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), self._server)
        self.address = self._bind()
        if self._settings.metrics is not None:
            try:
                self._metrics_server = MetricsServer(self.metrics, self._settings.metrics)
            except OSError as error:
                raise SettingsError(
                    f"metrics: {self._settings.metrics}: {error.strerror}"
                ) from None
            self.metrics_address = self._metrics_server.address
        await self._server.start()
        if (seconds := self._settings.policy_poll_seconds) is not None:
            self._watching = asyncio.create_task(self._watch(seconds))
        for name in ("", SERVICE.full_name):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace: float) -> None:
        """Take no new request, let the running ones end for `grace` seconds, then cancel them."""
        self._service.accepting = False
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace)
        # gRPC does not wait for what it cancels, and that still records its decisions.
        if self._running:
            await asyncio.wait(self._running, timeout=_SECONDS_TO_RECORD)
        await self.engine.close()
        if self._metrics_server is not None:
            await asyncio.to_thread(self._metrics_server.close)
        self._decision_log.close()

    async def cancel(self) -> None:
        """Cancel the requests that run, and let `stop` go on at once."""
        await self._server.stop(0)

    async def _watch(self, seconds: float) -> None:
        """Take edits of policies as they come; one that is refused leaves the last good one in force."""
        while True:
            await asyncio.sleep(seconds)
            try:
                reloads = await self.engine.refresh_policies()
            except Exception as error:
                _log.error("policies could not be looked at", exc_info=error)
                continue
            if reloads:
                self.metrics.reloaded(reloads, self.engine)
            for reload in reloads:
                log = _log.error if reload.error else _log.info
                log("policy edited", policy=reload.name, error=reload.error or None)

    def _bind(self) -> str:
        listen, tls = self._settings.listen, self._settings.tls
        host = listen.rpartition(":")[0]
        try:
            if tls is None:
                port = self._server.add_insecure_port(listen)
            else:
                port = self._server.add_secure_port(listen, _credentials(tls))
        except RuntimeError:
            also = "" if tls is None else " Or are the files of tls not certificate and key in PEM?"
            raise SettingsError(f"listen: {listen}: cannot be bound; is it in use?{also}") from None
        return f"{host}:{port}"


def _credentials(tls: TlsSettings) -> grpc.ServerCredentials:
    files = {"certificate": tls.certificate, "key": tls.key, "client_ca": tls.client_ca}
    data: dict[str, bytes | None] = {}
    for name, file in files.items():
        try:
            data[name] = file.read_bytes() if file is not None else None
        except OSError as error:
            raise SettingsError(f"tls.{name}: {file}: {error.strerror}") from None
    return grpc.ssl_server_credentials(
        [(data["key"] or b"", data["certificate"] or b"")],
        root_certificates=data["client_ca"],
        require_client_auth=tls.client_ca is not None,
    )


def serve(settings: Settings) -> None:
    """Load, listen, and serve until SIGTERM or SIGINT; a second signal ends the drain at once.

    When the ports are open, one JSON line on standard output tells which.
    """
    own_process()
    set_up_logs(settings.log_level)
    _log.info("loading")
    asyncio.run(_serve(settings, make_engine(settings)))


async def _serve(settings: Settings, engine: Engine) -> None:
    sidecar = Sidecar(settings, engine)
    signals: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number)
    try:
        await sidecar.start()
    except SettingsError:
        await sidecar.stop(0)
        raise
    listening = {
        "kind": "listening",
        "grpc": sidecar.address,
        "metrics": sidecar.metrics_address or None,
    }
    print(json.dumps(listening), flush=True)
    _log.info("listening", **listening)
    await signals.get()
    _log.info("draining", seconds=settings.drain_seconds)
    stop = asyncio.create_task(sidecar.stop(settings.drain_seconds))
    again = asyncio.create_task(signals.get())
    await asyncio.wait({stop, again}, return_when=asyncio.FIRST_COMPLETED)
    if not stop.done():
        _log.warning("ending at once")
        await sidecar.cancel()
    again.cancel()
    with suppress(asyncio.CancelledError):
        await stop
    _log.info("ended")
    sys.stdout.flush()
