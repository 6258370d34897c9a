"""Which sites and which starting step are chosen of what was measured."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inkguard.localize.plan import choose, choose_start, ranked
from inkguard.localize.sweep import SweepScore

shares = st.floats(0, 1).map(lambda x: round(x, 3))
sets = st.lists(st.integers(0, 7), min_size=1, max_size=3, unique=True).map(
    lambda numbers: tuple(sorted(numbers))
)


def score(donor: float, change: float, source: float = 0.1) -> SweepScore:
    means = {"donor_similarity": donor, "mse_outside": change, "source_similarity": source}
    return SweepScore(means, 10)


@given(st.dictionaries(sets, st.builds(score, shares, shares), min_size=1), shares)
def test_the_choice_is_the_smallest_set_that_is_good_enough(
    measured: dict[tuple[int, ...], SweepScore], goal: float
) -> None:
    """No smaller set reaches the goal, no set of its size does with less change; else the best."""
    choice = choose(measured, goal)
    found = measured[choice.sites]
    enough = {s: m for s, m in measured.items() if m["donor_similarity"] >= goal}
    assert choice.reached == bool(enough)
    if not enough:
        assert found["donor_similarity"] == max(m["donor_similarity"] for m in measured.values())
    for other, its in enough.items():
        assert len(other) >= len(choice.sites)
        if len(other) == len(choice.sites):
            assert found.change <= its.change


def test_one_site_wins_over_a_better_pair() -> None:
    """Within the bound, size counts before the reading."""
    measured = {(4,): score(0.96, 0.02), (4, 5): score(0.98, 0.01), (3,): score(0.5, 0.0)}
    assert choose(measured, 0.95).sites == (4,)
    assert choose(measured, 0.97).sites == (4, 5)
    assert not choose(measured, 0.99).reached


def test_a_later_start_is_taken_only_where_the_effect_stays() -> None:
    """Step 2 keeps the picture better; step 4 best, but there the prompt's own text comes back."""
    starts = {0: score(0.97, 0.03), 2: score(0.96, 0.01), 4: score(0.96, 0.005, source=0.3)}
    assert choose_start(starts, goal=0.95, within=0.03) == 2
    assert choose_start(starts, goal=0.97, within=0.03) == 0


def test_a_set_that_never_reaches_the_goal_still_gets_a_start() -> None:
    """Its own reading at step 0 is then what the others are held to."""
    starts = {0: score(0.6, 0.03), 1: score(0.59, 0.01), 2: score(0.4, 0.0)}
    assert choose_start(starts, goal=0.95, within=0.03) == 1


def test_a_site_that_garbles_the_text_is_tried_before_one_that_does_nothing() -> None:
    """Though the donor's text is read at neither; one that draws it comes first."""
    singles = {0: score(0.13, 0.0, 0.9), 1: score(0.14, 0.0, 0.97), 4: score(0.9, 0.02, 0.14)}
    assert ranked(singles) == [4, 0, 1]
