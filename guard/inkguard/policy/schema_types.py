"""What the models of the policy language (`inkguard.policy.schema`) are made of.

Each type carries what a JSON schema says of it and refuses what is no such value; a message of its own is
raised with `wrong`, everything else gets its words in `inkguard.policy.validation`.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    PrivateAttr,
    Strict,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from inkguard.types import Action

__all__ = [
    "Bare",
    "Category",
    "Counted",
    "Day",
    "ErrorAction",
    "Fraction",
    "Known",
    "Locale",
    "OneOrMore",
    "Optional",
    "Placed",
    "RuleName",
    "Section",
    "Switch",
    "Terms",
    "Text",
    "meant",
    "nearest",
    "wrong",
]

T = TypeVar("T")
_MOST_LISTED = 40


@dataclass(frozen=True, slots=True)
class Bare:
    """A YAML scalar that is read as something else than text: a date, `yes`, an odd number."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The names that a policy's values may refer to; None where they are not known, and not checked."""

    categories: Collection[str] | None = None
    locales: Collection[str] | None = None
    rules: Any = None


class Section(BaseModel):
    """A mapping of the policy language. Keys that it does not have are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Placed(Section):
    """A section that knows its `place`, file:line:column; two are equal wherever they stand."""

    _place: str = PrivateAttr("")

    @property
    def place(self) -> str:
        return self._place

    def at(self, place: str) -> Self:
        """The same, with its place."""
        placed = self.model_copy()
        placed._place = place
        return placed

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]


class Counted:
    """Marks a field that may hold offensive words: `policy show` counts them unless it is asked for them."""


def wrong(problem: str) -> PydanticCustomError:
    """What a validator raises: a message for people, which holds no value of the file."""
    return PydanticCustomError("wrong", "{problem}", {"problem": problem})


def nearest(name: str, names: Iterable[str]) -> str:
    """Either " (did you mean ...?)" or, where no name is near, nothing."""
    close = get_close_matches(name.casefold(), list(names), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def meant(name: str, names: Iterable[str], known: str = "known here") -> str:
    """The known names, where they are not too many, and the nearest of them."""
    names = sorted(names)
    listed = ", ".join(names) if len(names) <= _MOST_LISTED else f"{len(names)} of them"
    return f"{known}: {listed or 'none'}{nearest(name, names)}"


def _checked(what: str, value: str, names: Collection[str] | None) -> str:
    if names is not None and value not in names:
        raise wrong(f"the policy has no such {what}; {meant(value, names, 'it has')}")
    return value


def _known(info: ValidationInfo) -> Known:
    return info.context if isinstance(info.context, Known) else Known()


def _category(value: str, info: ValidationInfo) -> str:
    return _checked("category", value, _known(info).categories)


def _locale(value: str, info: ValidationInfo) -> str:
    return _checked("locale", value, _known(info).locales)


def _rule(value: str, info: ValidationInfo) -> str:
    rules = _known(info).rules
    return value if rules is None else str(rules.named(value))


def _day(value: Any) -> datetime.date:
    """Dates are written as they are: YAML reads a bare one as a date, and one in quotes as text."""
    if isinstance(value, datetime.date):
        return value
    text = value.text if isinstance(value, Bare) else value
    try:
        return datetime.date.fromisoformat(text)
    except (TypeError, ValueError):
        raise wrong("expected a date: YYYY-MM-DD") from None


def _error_action(action: Action) -> Action:
    if action is Action.SUBSTITUTE:
        raise wrong("expected one of: allow, flag, block (an error does not say what to replace)")
    return action


def _said(value: Any) -> Any:
    if value is None:
        raise wrong("expected a string: put it in quotes")
    return value


def _listed(value: Any) -> Any:
    """A single value as a list of one."""
    return value if isinstance(value, (list, tuple, set, frozenset)) else [value]


def _plain(value: object) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


class _NotNull:
    """A key that may be left out is not `null` where it is there."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        value: JsonSchemaValue = handler(core)["anyOf"][0]
        return value


class _OrOne:
    """Adds to the JSON schema of a list that a single one of its values will do."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        many = {key: value for key, value in handler(core).items() if key != "uniqueItems"}
        return {"anyOf": [many["items"], many]}


Text = Annotated[str, Strict(), StringConstraints(pattern=r"\S")]
"""A string that is not empty; what YAML reads as something else must be quoted."""
Optional = Annotated[T | None, BeforeValidator(_said), _NotNull()]
"""What may be left out. An empty value is refused, since it may have been meant to be something."""
Switch = Annotated[bool, Strict()]
"""`true` or `false`, spelled so."""
Fraction = Annotated[float, Strict(), Field(ge=0, le=1, allow_inf_nan=False)]
"""A number from 0 to 1."""
Terms = Annotated[tuple[Text, ...], Counted()]
"""Words and phrases, which may be offensive."""
Category = Annotated[Text, AfterValidator(_category)]
"""One of the policy's categories."""
Locale = Annotated[Text, AfterValidator(_locale)]
"""The locale of one of the policy's word lists."""
RuleName = Annotated[Text, AfterValidator(_rule)]
"""A category, a list rule, an id or a label: insult, insult.mild, insult.mild#4f2a, detoxify.insult."""
Day = Annotated[
    datetime.date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}),
]
"""A date, as 2027-01-31."""
ErrorAction = Annotated[
    Action,
    AfterValidator(_error_action),
    WithJsonSchema({"enum": ["allow", "flag", "block"]}),
]
"""What may be done where a stage fails."""
OneOrMore = Annotated[
    frozenset[T],
    Field(min_length=1),
    BeforeValidator(_listed),
    PlainSerializer(lambda values: sorted(map(_plain, values)), when_used="json"),
    _OrOne(),
]
"""One value or a list of them, any of which fits. An empty list is refused: it would fit nothing."""
