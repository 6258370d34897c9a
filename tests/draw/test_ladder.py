"""In which order a prompt's picture is tried, without a model."""

from __future__ import annotations

import pytest

from inkguard.draw.ladder import LADDER, Row, rung_for
from inkguard.types import Action, Decision, Finding, Method, PolicyRef, Rung, Severity

TEXT = 'a sign that says "IDIOT"'
DONOR = 'a sign that says "BEACH"'
FINDING = Finding(
    start=18,
    end=23,
    text="IDIOT",
    source="wordlist",
    rule="insult",
    category="insult",
    severity=Severity.MILD,
    score=1.0,
    action=Action.SUBSTITUTE,
)


def row(
    action: Action, *, method: Method = Method.SUBSTITUTE, has_sites: bool = True, **more: Action
) -> Row:
    """A row with one prompt; `more` are the actions of further text arguments."""
    decisions = {
        name: Decision(
            action=a,
            policy=PolicyRef(name="p", version="1"),
            findings=(FINDING,) if a is Action.SUBSTITUTE else (),
            donor_prompt=DONOR if a is Action.SUBSTITUTE else None,
        )
        for name, a in {"prompt": action, **more}.items()
    }
    return Row(
        texts=dict.fromkeys(decisions, TEXT),
        decisions=decisions,
        method=method,
        has_sites=has_sites,
    )


def climbed(row: Row) -> list[Rung]:
    """Every rung of a row whose pictures always show toxic text."""
    rungs = [row.rung]
    while rungs[-1] is not Rung.BLOCK:
        rungs.append(row.climb())
    return rungs


ALL = [Rung.SITES, Rung.ALL_LAYERS, Rung.BLOCK]


@pytest.mark.parametrize(
    ("tried", "rungs"),
    [
        (row(Action.SUBSTITUTE), ALL),
        (row(Action.ALLOW, prompt_2=Action.SUBSTITUTE), ALL),
        (row(Action.SUBSTITUTE, has_sites=False), ALL[1:]),
        (row(Action.SUBSTITUTE, method=Method.PROMPT_SWAP), ALL[1:]),
        (row(Action.SUBSTITUTE, method=Method.NONE), [Rung.UNGUARDED, Rung.BLOCK]),
        (row(Action.ALLOW), [Rung.UNGUARDED, Rung.BLOCK]),
        (row(Action.FLAG), [Rung.UNGUARDED, Rung.BLOCK]),
        (row(Action.BLOCK), [Rung.BLOCK]),
        (row(Action.BLOCK, method=Method.NONE), [Rung.BLOCK]),
        (row(Action.SUBSTITUTE, prompt_2=Action.BLOCK), [Rung.BLOCK]),
    ],
    ids=[
        *("toxic", "second argument", "no manifest", "swap", "without the guard", "harmless"),
        *("flagged", "blocked", "blocked without the guard", "blocked in the second argument"),
    ],
)
def test_a_row_climbs_in_the_ladders_order(tried: Row, rungs: list[Rung]) -> None:
    """Sites, all layers, no picture; what a row has no use for is left out, and the end is always a block."""
    assert climbed(tried) == rungs


def test_the_ladder_has_every_rung_once_and_ends_without_a_picture() -> None:
    """So no row falls off it: the last rung takes any."""
    assert [rung for rung, _ in LADDER] == list(Rung)
    assert LADDER[-1][0] is Rung.BLOCK
    assert LADDER[-1][1](row(Action.ALLOW))


def test_encoders_read_the_donors_text_on_the_rung_of_all_layers_alone() -> None:
    """On the sites' rung they read the prompt, and the sites alone the donor; an argument that is fine stays."""
    tried = row(Action.SUBSTITUTE, prompt_2=Action.ALLOW)
    assert (tried.text("prompt"), tried.donor("prompt")) == (TEXT, DONOR)
    tried.climb()
    assert (tried.text("prompt"), tried.text("prompt_2")) == (DONOR, TEXT)
    assert tried.removed == ["IDIOT"]


def test_another_ladder_is_another_order() -> None:
    """It is a value: a new way of drawing is an entry."""
    swapped = tuple(entry for entry in LADDER if entry[0] is not Rung.SITES)
    assert rung_for(row(Action.SUBSTITUTE), ladder=swapped) is Rung.ALL_LAYERS
