"""The policies of a server, read anew when their files change."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from inkguard.check.checker import Checker
from inkguard.errors import GuardError, PolicyError
from inkguard.frozen import FrozenDict
from inkguard.policy.load import content_digest, read_policy
from inkguard.policy.model import Policy
from inkguard.score.scorer import Scorer, load_scorer
from inkguard.verify import reader_for
from inkguard.wire.records import PolicyInfo
from inkguard_server.engines.base import ReloadResult
from inkguard_server.settings import SettingsError

__all__ = ["Policies"]


class _Watched:
    """A policy's files: what was read of each when it was last tried, and the policy in force."""

    def __init__(self, path: Path | None, default: bool) -> None:
        self._path = path
        self._seen: dict[Path, str] = {}
        self.policy = self._read()
        self.info = _info(self.policy, default)

    def changed(self) -> bool:
        """Whether a file is no longer what was read: by content, through symbolic links."""
        return any(content_digest(path) != digest for path, digest in self._seen.items())

    def refresh(self) -> Policy | None:
        """The edited policy; None while it is still being edited. Raises PolicyError."""
        try:
            policy = self._read()
        except PolicyError:
            if self.changed():
                return None
            raise
        if self.changed():
            return None
        if policy.name != self.policy.name:
            raise PolicyError(
                f"{policy.files[0]}:1:1",
                f"a policy keeps its name while the server runs: it was {self.policy.name}",
            )
        return policy

    def _read(self) -> Policy:
        seen: dict[Path, str] = {}
        try:
            return read_policy(self._path, seen).policy
        finally:
            self._seen = seen


class Policies:
    """Policies by name, the default one first. Not thread-safe: one thread refreshes.

    `reader` is the name of the OCR engine that reads pictures back in place of the policies' own; None: theirs.
    Raises SettingsError, PolicyError, VerificationError or ModelError.
    """

    def __init__(self, paths: Sequence[Path | None], reader: str | None = None) -> None:
        self._reader_name = reader
        self._classifier: Scorer | None = None
        watched = [_Watched(path, number == 0) for number, path in enumerate(paths)]
        self._watched = {w.policy.name: w for w in watched}
        if len(self._watched) < len(watched):
            raise SettingsError("policies: two policies have the same name")
        self._checkers = {name: self._checker(w.policy) for name, w in self._watched.items()}

    def checkers(self) -> dict[str, Checker]:
        return dict(self._checkers)

    def infos(self) -> Mapping[str, PolicyInfo]:
        return FrozenDict({name: w.info for name, w in self._watched.items()})

    def refresh(self) -> list[ReloadResult]:
        """Read what has changed; an edit that cannot be used leaves the last good policy in force."""
        reloads = []
        for name, watched in self._watched.items():
            if not watched.changed():
                continue
            try:
                policy = watched.refresh()
                if policy is None:
                    continue
                self._checkers[name] = self._checker(policy)
            except GuardError as error:
                told = replace(watched.info, error=str(error), failed=time.time())
                watched.info = told
                reloads.append(ReloadResult(name=name, error=str(error)))
                continue
            watched.policy, watched.info = policy, _info(policy, watched.info.default)
            reloads.append(ReloadResult(name=name))
        return reloads

    def _checker(self, policy: Policy) -> Checker:
        """With everything that the policy needs, loaded once for all of them."""
        reader_for(policy, self._reader_name)
        if policy.uses_classifier and self._classifier is None:
            self._classifier = load_scorer()
        return Checker(policy, self._classifier if policy.uses_classifier else None)


def _info(policy: Policy, default: bool) -> PolicyInfo:
    return PolicyInfo(
        name=policy.name,
        default=default,
        version=policy.version,
        digest=policy.digest,
        categories=tuple(policy.categories),
        loaded=time.time(),
    )
