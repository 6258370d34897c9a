"""One engine with the real models for all tests here, and sidecars over it on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from server.app import Sidecar
from server.local import LocalEngine
from server.settings import load_settings

LOCAL: dict[str, Any] = {"listen": "127.0.0.1:0", "metrics": "127.0.0.1:0", "queue_limit": 2}


class Shared:
    """An engine that outlives the sidecar in front of it."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    async def close(self) -> None:
        """The next test uses the engine."""


@pytest.fixture(scope="session")
def engine() -> Iterator[LocalEngine]:
    loaded = LocalEngine(load_settings(**LOCAL))
    yield loaded
    asyncio.run(loaded.close())


@pytest.fixture
def serving(engine: LocalEngine, tmp_path: Path) -> Callable[..., Any]:
    """`async with serving(**settings) as sidecar`; an engine as first argument is put behind it."""

    @asynccontextmanager
    async def serve(instead: Any = None, **settings: Any) -> AsyncIterator[Sidecar]:
        values = {**LOCAL, "decision_log": str(tmp_path / "decisions.jsonl"), **settings}
        sidecar = Sidecar(load_settings(**values), instead or Shared(engine))
        try:
            await sidecar.start()
            yield sidecar
        finally:
            await sidecar.stop(0)

    return serve
