"""The policy language, described once: the keys of policy files and of the lists that they name.

From these models come the loader (`inkguard.policy.load`), its messages (`inkguard.policy.validation`), the JSON
schemas (`inkguard.policy.json_schema`), `inkguard policy show`, and the page docs/reference/policy-keys.md. A new key is a field
here and, where it is a key of the policy itself, one of the same name in `inkguard.policy.model.Policy`.
"""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    RootModel,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from inkguard.match.regexes import compiled
from inkguard.match.terms import Matching
from inkguard.policy.rules import PolicyException, Rule
from inkguard.policy.schema_types import (
    Category,
    Counted,
    ErrorAction,
    Fraction,
    Optional,
    Placed,
    RuleName,
    Section,
    Switch,
    Terms,
    Text,
    wrong,
)
from inkguard.types import Action, Severity, TextSpan

__all__ = [
    "API_VERSION",
    "AllowGroups",
    "Extraction",
    "Layered",
    "Lint",
    "Match",
    "Mode",
    "OnError",
    "OrganisationList",
    "PolicyFile",
    "PolicyTest",
    "ReplacementLists",
    "ReplacementStyle",
    "Strategy",
    "TermGroup",
    "Threshold",
    "WholePrompt",
    "WordList",
    "names_a_file",
]

API_VERSION = "inkguard/v1"
_ANY_STAGE = ("extract", "lists", "classifier", "verify")


class Layered(enum.Enum):
    """What becomes of a key in a policy that extends another one; the value is for docs/reference/policy-keys.md."""

    OWN = "never taken over"
    YOURS = "yours, where you say something"
    PARTS = "yours, key by key"
    ADDED = "both"
    YOURS_FIRST = "both, yours first"
    LABELS = "label by label; `null` takes one out"
    TERMS = "both; where both say something of one word, yours holds"


class Mode(enum.Enum):
    """Whether decisions are acted on, or only recorded."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


class Match(enum.Enum):
    """Which of the rules that fit a finding decides."""

    FIRST = "first"
    STRICTEST = "strictest"


class ReplacementStyle(enum.Enum):
    """How harmless text is chosen for toxic text."""

    SAME_LENGTH = "same_length"
    FIXED = "fixed"
    MASK = "mask"
    BLANK = "blank"
    LOOK_ALIKE = "look_alike"


class Extraction(Section):
    """Which kinds of spans count as text to be drawn."""

    quoted: Switch = Field(default=True, description="Text in quotes counts as text to be drawn.")
    unquoted: Switch = Field(default=True, description="What words like `a sign saying` announce.")

    def keeps(self, span: TextSpan) -> bool:
        """Whether a span is of a kind that counts."""
        return self.quoted if span.cue == "quoted" else self.unquoted


class WholePrompt(Section):
    """What is done with the prompt outside of the text to be drawn.

    Word lists' rules that match everywhere do so in any case, with their own action.
    """

    check: Switch = Field(default=True, description="Whether word lists read it.")
    classifier: Switch = Field(
        default=False, description="Whether the classifier reads the whole prompt."
    )
    strictest: Action = Field(default=Action.FLAG, description="The strictest action there.")


class OnError(Section):
    """The action where a stage fails."""

    extract: ErrorAction = Field(default=Action.BLOCK, description="Finding the text to be drawn.")
    lists: ErrorAction = Field(default=Action.BLOCK, description="The word lists.")
    classifier: ErrorAction = Field(
        default=Action.BLOCK, description="The classifier, or its scores make no sense."
    )
    verify: ErrorAction = Field(
        default=Action.BLOCK, description="Judging the text that OCR read from a picture."
    )


class Threshold(Section):
    """What a score of `threshold` or more for a label of the classifier means."""

    threshold: Fraction = Field(description="From this score on.")
    category: Category = Field(description="The category of what is found.")
    severity: Severity = Field(description="How bad it is.")
    action: Action = Field(description="What it asks for.")


class Lint(Section):
    """What `inkguard policy lint` is told."""

    may_hit: Terms = Field(default=(), repr=False, description="Harmless words that terms may hit.")


class PolicyTest(Placed):
    """A prompt and what the policy is to make of it."""

    prompt: Text = Field(repr=False, description="As a user would write it.")
    action: Action = Field(description="What is to come out.")
    category: Optional[Category] = Field(default=None, description="That of one of the findings.")
    rule: Optional[RuleName] = Field(
        default=None, description="What found one of them, or its beginning."
    )


def _expression(value: str) -> str:
    try:
        found = compiled(value).search("")
    except ValueError as error:
        raise wrong(f"RE2 refuses this expression: {error}") from None
    if found is not None:
        raise wrong("this expression matches the empty text")
    return value


class TermGroup(Section):
    """A rule of a word list: what it asks for, and the terms that ask for it."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": [key]} for key in ("terms", "exact", "stems", "patterns")]
        }
    )

    severity: Severity = Field(description="How bad its words are.")
    action: Action = Field(description="What they ask for.")
    locale: Optional[Text] = Field(default=None, description="In place of the list's.")
    everywhere: Switch = Field(
        default=False,
        description="Outside of the text to be drawn, too, they ask for the same action.",
    )
    misspelled: Switch = Field(
        default=True,
        description="One wrong letter, or another spelling of the same sound, is a match.",
    )
    terms: Terms = Field(
        default=(), repr=False, description="Words and phrases with their inflections."
    )
    exact: Terms = Field(
        default=(), repr=False, description="Words and phrases as they stand only."
    )
    stems: Terms = Field(default=(), repr=False, description="Found inside of any word.")
    patterns: Annotated[tuple[Annotated[Text, AfterValidator(_expression)], ...], Counted()] = (
        Field(
            default=(),
            repr=False,
            description="Regular expressions in RE2's syntax, for folded text.",
        )
    )

    @model_validator(mode="after")
    def _has_terms(self) -> Self:
        if not (self.terms or self.exact or self.stems or self.patterns):
            raise wrong("a rule needs terms")
        return self


class WordList(Section):
    """A word list, in a file or in place. Its rules are called `category.name`."""

    category: Category = Field(description="That of all its terms.")
    locale: Optional[Text] = Field(
        default=None, description="The terms' language, for rules to look at: `de`."
    )
    rules: dict[Text, TermGroup] = Field(description="Terms by the name of their rule.")


class OrganisationList(Section):
    """A list that is kept elsewhere: .txt with one term a line, .csv with a header, or .json."""

    file: Text = Field(
        description="Its path, relative to the policy.",
        json_schema_extra={"pattern": r"\.(txt|csv|json)$"},
    )
    category: Category = Field(description="For rows that name none; so are the next three.")
    severity: Severity = Field(description="How bad its terms are.")
    action: Action = Field(description="What they ask for.")
    match: Matching = Field(default=Matching.INFLECTED, description="How far they reach.")
    name: Optional[Text] = Field(
        default=None, description="For the ids, in place of the file's name."
    )
    locale: Optional[Text] = Field(default=None, description="The terms' language.")
    everywhere: Switch = Field(default=False, description="As in a word list.")
    misspelled: Switch = Field(default=True, description="As in a word list.")


class AllowGroups(RootModel[dict[Text, Terms]]):
    """An allow-list: words and phrases that only look bad, in groups with names of your own."""


class Strategy(Section):
    """One way to choose harmless text."""

    use: ReplacementStyle = Field(
        description="A word of the same length; one of `words`; a sign for each letter; nothing; the word that looks most alike.",
    )
    words: tuple[Text, ...] = Field(
        default=(),
        description="For `fixed`, and in place of or beside the policy's for the other two.",
    )
    glyph: Text = Field(
        default="*", description="The sign for `mask`.", json_schema_extra={"maxLength": 1}
    )

    @field_validator("words")
    @classmethod
    def _words_fit(cls, words: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        use = info.data.get("use")
        if words and use in (ReplacementStyle.MASK, ReplacementStyle.BLANK):
            raise wrong("words do not go with use: mask and use: blank")
        if use in (ReplacementStyle.SAME_LENGTH, ReplacementStyle.LOOK_ALIKE) and not all(
            w.isascii() and w.isalpha() and len(w) <= 40 for w in words
        ):
            raise wrong("expected words of letters a to z")
        return words

    @field_validator("glyph")
    @classmethod
    def _glyph_fits(cls, glyph: str, info: ValidationInfo) -> str:
        if info.data.get("use", ReplacementStyle.MASK) is not ReplacementStyle.MASK:
            raise wrong("a glyph goes with use: mask only")
        if len(glyph) != 1 or glyph.isalnum() or not glyph.isprintable():
            raise wrong("expected one sign that is no letter or digit")
        return glyph

    @model_validator(mode="after")
    def _fixed_has_words(self) -> Self:
        if self.use is ReplacementStyle.FIXED and not self.words:
            raise wrong("use: fixed needs words")
        return self


def _some(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words:
        raise wrong("a length needs words")
    return words


def _digits(value: Any) -> Any:
    """A length is written `4` or `"4"`, so that its words are found again at their key and are judged."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if type(value) is not int:
        raise wrong("expected a whole number from 1 to 40")
    return value


_Length = Annotated[int, BeforeValidator(_digits), Field(ge=1, le=40)]
_Words = Annotated[Terms, AfterValidator(_some)]


class ReplacementLists(Section):
    """Harmless text by shape, and how it is chosen."""

    words: Annotated[dict[_Length, _Words], Counted()] = Field(
        default={}, repr=False, description="Words by length, of letters a to z."
    )
    phrases: Terms = Field(
        default=(),
        repr=False,
        description="For several words at once, by the lengths of their words.",
    )
    strategy: Strategy = Field(
        default=Strategy(use=ReplacementStyle.SAME_LENGTH),
        description="How to choose, for all categories.",
    )
    categories: dict[Category, Strategy] = Field(default={}, description="For single categories.")


_FILE_OF_TERMS = (".yaml", ".yml", ".txt", ".csv", ".json")


def names_a_file(entry: str) -> bool:
    """Whether an entry of `allow` names a file, by its ending; anything else is an allowed word or phrase."""
    return entry.casefold().endswith(_FILE_OF_TERMS)


def _all_stages(value: Any) -> Any:
    """One action is that of every stage."""
    return value if isinstance(value, (dict, OnError)) else dict.fromkeys(_ANY_STAGE, value)


def _reads(value: Any) -> Any:
    if value is not True and value is not False and value != "all":
        raise wrong("expected true, false or all")
    return value


def _kind_of_list(value: Any) -> str:
    if isinstance(value, (dict, Section)):
        own = isinstance(value, WordList) or (isinstance(value, dict) and "file" not in value)
        return "<list>" if own else "<organisation>"
    return "<file>"


def _kind(value: Any) -> str:
    """Of replacements, and of an entry of `allow`: a mapping in place, or a name."""
    return "<place>" if isinstance(value, (dict, BaseModel)) else "<file>"


def _kind_or_several(value: Any) -> str:
    return "<several>" if isinstance(value, (list, tuple)) else _kind(value)


_ListEntry = Annotated[
    Annotated[Text, Tag("<file>")]
    | Annotated[WordList, Tag("<list>")]
    | Annotated[OrganisationList, Tag("<organisation>")],
    Discriminator(_kind_of_list),
]
_AllowEntry = Annotated[
    Annotated[Text, Tag("<file>")] | Annotated[AllowGroups, Tag("<place>")], Discriminator(_kind)
]


class PolicyFile(Section):
    """A policy file. Files are named relative to the file that names them."""

    model_config = ConfigDict(title="inkguard policy, inkguard/v1")

    api_version: Annotated[Literal["inkguard/v1"], Layered.OWN] = Field(
        alias="apiVersion", description="The version of this language."
    )
    name: Annotated[Text, Layered.OWN] = Field(
        description="Requests to a server, and decisions, name the policy by it."
    )
    version: Annotated[Text, Layered.OWN] = Field(
        description='As you like; every decision carries it. In quotes: `"1"`.'
    )
    extends: Annotated[Optional[Text], Layered.OWN] = Field(
        default=None,
        description="The policy to start from: a file, or `default` for the shipped one.",
    )
    categories: Annotated[dict[Text, Text], Layered.ADDED] = Field(
        default={},
        description="Category: a sentence about it. Required, here or in what is extended.",
    )
    wordlists: Annotated[tuple[_ListEntry, ...], Layered.TERMS] = Field(
        default=(),
        description="Files of terms, lists in place, or lists of your organisation. Required likewise.",
    )
    replacements: Annotated[
        Annotated[Text, Tag("<file>")] | Annotated[ReplacementLists, Tag("<place>")],
        Discriminator(_kind),
        Layered.PARTS,
    ] = Field(
        default=ReplacementLists(),
        description="Harmless text: a file, or in place. Required likewise.",
    )
    allow: Annotated[
        Annotated[Text, Tag("<file>")]
        | Annotated[AllowGroups, Tag("<place>")]
        | Annotated[tuple[_AllowEntry, ...], Tag("<several>")],
        Discriminator(_kind_or_several),
        Layered.TERMS,
        Counted(),
    ] = Field(
        default=(),
        description="What only looks bad: words and phrases, groups of them as in a file, or files (.yaml, .txt, .csv or .json).",
    )
    compound_parts: Annotated[Terms, Layered.ADDED] = Field(
        default=(), description="Words that may be glued to a term."
    )
    detoxify: Annotated[dict[Text, Threshold | None], Layered.LABELS] = Field(
        default={},
        description="Label of the classifier: what a score means. Without labels it is not used.",
    )
    match: Annotated[Match, Layered.YOURS] = Field(
        default=Match.FIRST, description="Which of the rules that fit a finding decides."
    )
    rules: Annotated[tuple[Rule, ...], Layered.YOURS_FIRST] = Field(
        default=(),
        description="Actions by what a finding is, in place of what its list or label asks for.",
    )
    exceptions: Annotated[tuple[PolicyException, ...], Layered.YOURS_FIRST] = Field(
        default=(), description="Findings that are let be until a day."
    )
    extraction: Annotated[Extraction, Layered.PARTS] = Field(
        default=Extraction(), description="Which text counts as text to be drawn."
    )
    whole_prompt: Annotated[WholePrompt, Layered.PARTS] = Field(
        default=WholePrompt(), description="What is done with the rest of the prompt."
    )
    on_error: Annotated[
        OnError,
        BeforeValidator(_all_stages, json_schema_input_type=ErrorAction | OnError),
        Layered.PARTS,
    ] = Field(
        default=OnError(), description="What a failure means: one action, or one for each stage."
    )
    verify: Annotated[
        bool | Literal["all"],
        PlainValidator(_reads, json_schema_input_type=bool | Literal["all"]),
        Layered.YOURS,
    ] = Field(
        default=True,
        description="Whether OCR reads substituted pictures again; `all`: with every engine that is known.",
    )
    mode: Annotated[Mode, Layered.YOURS] = Field(
        default=Mode.ENFORCE,
        description="`shadow`: decide and record, but draw everything; the decision's reason says what would have been done.",
    )
    tests: Annotated[tuple[PolicyTest, ...], Layered.OWN, Counted()] = Field(
        default=(), description="What `inkguard policy test` asks of this policy."
    )
    lint: Annotated[Lint, Layered.ADDED] = Field(
        default=Lint(), description="What `inkguard policy lint` is told."
    )
