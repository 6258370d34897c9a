"""The engines by name: what draws behind the wire. The setting `engine` names one."""

from __future__ import annotations

from collections.abc import Callable

from inkguard_server.engines.base import Engine
from inkguard_server.settings import Settings, SettingsError

__all__ = ["ENGINES", "make_engine"]


def _local(settings: Settings) -> Engine:
    # Imported late: the models' libraries take seconds, and a mistake in the settings is told at once.
    from inkguard_server.engines.local import LocalEngine

    return LocalEngine(settings)


ENGINES: dict[str, Callable[[Settings], Engine]] = {"local": _local}
"""What makes each engine. A program that serves with an engine of its own adds an entry before `serve`."""


def make_engine(settings: Settings) -> Engine:
    """The engine that `settings.engine` names, loaded.

    Raises SettingsError for a name that is not known, and what the engine raises: GuardErrors.
    """
    if settings.engine not in ENGINES:
        raise SettingsError(
            f"engine: no engine is called {settings.engine!r}; there are: {', '.join(ENGINES)}"
        )
    return ENGINES[settings.engine](settings)
