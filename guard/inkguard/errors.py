"""Everything that inkguard raises on purpose. No message quotes a prompt or a word list's term."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from inkguard.types import Decision

__all__ = [
    "Blocked",
    "CallError",
    "Cancelled",
    "ClassifierError",
    "GuardError",
    "InvalidInput",
    "ManifestError",
    "MeasureError",
    "MissingExtra",
    "ModelError",
    "PolicyError",
    "SubstitutionError",
    "TravellingError",
    "UnguardedUse",
    "UnsupportedModel",
    "VerificationError",
]


class TravellingError(Exception):
    """Can be pickled and copied, whatever its class is made with, and keeps its fields and notes.

    It remembers what it was made with: `BaseException` alone would make it anew from its message.
    """

    _made_with: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **named: Any) -> Self:
        self = super().__new__(cls, *args, **named)
        self._made_with = args, named
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        kept = {key: value for key, value in vars(self).items() if key != "_made_with"}
        return _make, (type(self), *self._made_with), kept


class GuardError(TravellingError):
    """Root of the tree: something that a user or an operator can act on."""


class InvalidInput(GuardError):
    """A request is out of bounds; the message names the field, the limit and the value."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field, self.problem = field, problem


class PolicyError(GuardError):
    """A policy, or a list that it names, cannot be used.

    `place` is file:line:column and `problem` what is wrong there. `mistakes` are all that were found, the first
    among them, and the message has a line for each: `shop.yaml:6:1: unknown key; ...`.
    """

    _MOST_TOLD = 50

    def __init__(self, place: str, problem: str, *more: tuple[str, str]) -> None:
        self.place, self.problem = place, problem
        self.mistakes = ((place, problem), *more)
        lines = [": ".join(mistake) for mistake in self.mistakes[: self._MOST_TOLD]]
        if (rest := len(self.mistakes) - self._MOST_TOLD) > 0:
            lines.append(f"and {rest} more")
        super().__init__("\n".join(lines))


class ModelError(GuardError):
    """A model folder or checkpoint cannot be loaded; the message says what to put where."""


class MissingExtra(ModelError):
    """A package that comes with an extra of inkguard is not installed; the message says what to install.

    `extra` is the extra's name, and `otherwise` what works without it.
    """

    def __init__(self, extra: str, what: str, otherwise: str = "") -> None:
        instead = f", or {otherwise}" if otherwise else ""
        super().__init__(f"{what}: pip install 'inkguard[{extra}]'{instead}")
        self.extra, self.otherwise = extra, otherwise


class UnsupportedModel(ModelError):
    """The model has no manifest, or is of a family that the guard does not know how to edit."""


class ManifestError(ModelError):
    """A manifest does not fit its model; the message names the difference."""


class MeasureError(GuardError):
    """A measurement cannot begin or go on; the message says where, and what to do."""


class ClassifierError(GuardError):
    """The classifier failed; the policy's on-error action applies, block by default."""


class SubstitutionError(GuardError):
    """An edit did not do what it should, for instance a site that never fired. No picture is kept."""


class UnguardedUse(GuardError):
    """What was asked of a guarded pipeline would leave the guard behind; the message says what to do."""


class VerificationError(GuardError):
    """The picture could not be read back, so it is not returned."""


class Cancelled(GuardError):
    """Whoever asked for a picture no longer wants it; nothing was decoded."""


class CallError(GuardError):
    """A call of a sidecar was refused, failed, or did not get through.

    `code` is the name of the gRPC status, `detail` the message without it, `reason` the server's reason code
    (empty where the server did not say), `field` the field at fault of an INVALID_ARGUMENT, `retry_after` seconds.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        reason: str = "",
        field: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail, self.reason = code, detail, reason
        self.field, self.retry_after = field, retry_after


class Blocked(GuardError):
    """Raised by `inkguard.wrap`'s pipelines where a prompt is blocked, or what was drawn; carries the decision."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(
            f"the policy {decision.policy.name!r} blocks this prompt ({decision.reason})"
        )
        self.decision = decision


def _make(
    kind: type[TravellingError], args: tuple[Any, ...], named: dict[str, Any]
) -> TravellingError:
    return kind(*args, **named)
