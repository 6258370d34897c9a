"""What is tried in which order, and which sites are chosen of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inkguard.errors import MeasureError
from inkguard.localize.patch import NONE, WHOLE, Patch, Site
from inkguard.localize.sweep import Sweep, SweepScore
from inkguard.measure.progress import ProgressReporter

__all__ = [
    "RULE",
    "Choice",
    "LocalizationResult",
    "Search",
    "choose",
    "choose_start",
    "localize",
    "most_patches",
    "ranked",
]

RULE = (
    "The smallest set of sites whose donor text is read within {within:g} of swapping the whole "
    "prompt (OCR similarity), among sets of one size the one that changes the picture outside of the "
    "text least. Of the starting steps at which the donor's text is read within {within:g} of that, "
    "and the prompt's own no more than {within:g} above the set's at step 0, the one that changes the "
    "picture outside of the text least. Pooled text is swapped only where the set misses the mark "
    "without it and reaches it with it."
)


_READABLE = 0.1
"""Least rise of donor similarity by swapping the whole prompt that leaves something to localize."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Bounds of the search.

    `within`: of whole-prompt swap's donor similarity. `max_sites`: largest set. `candidates`: how many
    of the best single sites are tried at each growth (the neighbours of the set are tried as well).
    `start_steps`: denoising steps, 0 among them. `override`: take these sites, whatever was measured.
    """

    within: float = 0.03
    max_sites: int = 3
    candidates: int = 8
    start_steps: tuple[int, ...] = (0,)
    override: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A set of sites; `reached` says whether it is within the bound of the goal."""

    sites: tuple[int, ...]
    reached: bool


@dataclass(slots=True, kw_only=True)
class LocalizationResult:
    """Everything that a run measured; `scores` are in the order in which a reader wants them."""

    sites: list[Site]
    total_parameters: int
    search: Search
    choice: Choice
    final: Patch
    installed: Path | None = None
    """Where the manifest was put for the guard to find."""
    scores: dict[Patch, SweepScore] = field(default_factory=dict)

    @property
    def goal(self) -> float:
        """Least donor similarity of a set that is good enough."""
        return self.scores[WHOLE]["donor_similarity"] - self.search.within

    def singles(self) -> dict[int, SweepScore]:
        """Scores of single sites by number, from the first step on."""
        return {v.sites[0]: s for v, s in self.sets().items() if len(v.sites) == 1}

    def sets(self) -> dict[Patch, SweepScore]:
        """Scores of sets of sites from the first step on, without pooled text."""
        return {
            v: s
            for v, s in self.scores.items()
            if v.sites and not v.start_step and not v.swap_pooled
        }

    def best_by_size(self) -> dict[int, Patch]:
        """For each size the set whose donor text is read best."""
        best: dict[int, Patch] = {}
        for patch, score in self.sets().items():
            size = len(patch.sites)
            if size not in best or _better(score, self.scores[best[size]]):
                best[size] = patch
        return dict(sorted(best.items()))

    def telling(self, most: int) -> list[int]:
        """At most `most` sites in order: the chosen ones, and those that move the reading furthest."""
        chosen = self.choice.sites[:most]
        others = [n for n in ranked(self.singles()) if n not in chosen]
        return sorted([*chosen, *others[: most - len(chosen)]])

    def starts(self) -> dict[int, SweepScore]:
        """Scores of the chosen set by starting step."""
        return {
            v.start_step: s
            for v, s in sorted(self.scores.items(), key=lambda item: item[0].start_step)
            if v.sites == self.choice.sites and not v.swap_pooled
        }

    def share(self, sites: Iterable[int]) -> float:
        """Share of the denoiser's parameters that some sites hold."""
        return sum(self.sites[n].parameters for n in sites) / self.total_parameters


def most_patches(search: Search, sites: int, pooled: bool) -> list[int]:
    """The most patches of each phase of `localize`, for a model with so many sites.

    The phases: nothing and the whole prompt; single sites; growing to each further size; all sites (and
    those of `override`); later starts; pooled text. Each patch is a picture a pair. Example::

        most_patches(Search(), 70, True)  # SDXL: [2, 70, 11, 14, 1, 0, 1], so 99 pictures a pair
    """
    largest = min(search.max_sites, sites)
    # Of the candidates one is in the set already; each of the set's sites has two neighbours.
    growth = [min(search.candidates - 1 + 2 * n, sites - n) + n + 1 for n in range(1, largest)]
    starts = len([s for s in search.start_steps if s])
    return [2, sites, *growth, 1 + (search.override is not None), starts, int(pooled)]


def localize(
    sweep: Sweep, search: Search, progress: ProgressReporter, total_parameters: int
) -> LocalizationResult:
    """Measure single sites, growing sets, starting steps and pooled text, and choose.

    What the journal holds already is not drawn again. Deterministic for the same pairs.
    """
    sites = sweep.drawer.sites
    count, pooled = len(sites), sweep.drawer.has_pooled
    largest = min(search.max_sites, count)
    scores: dict[Patch, SweepScore] = {}
    rest = most_patches(search, count, pooled)  # in each phase that is not yet done

    def measure(patches: Iterable[Patch]) -> None:
        wanted = list(dict.fromkeys(v for v in patches if v not in scores))
        progress.expect(sweep.missing(wanted) + sum(rest) * len(sweep.pairs))
        for patch in wanted:
            scores[patch] = sweep.measure(patch)

    singles = [Patch(sites=(n,)) for n in range(count)]
    rest.pop(0)
    measure([NONE, WHOLE])
    _refuse_unreadable(scores)
    rest.pop(0)
    measure(singles)
    order = ranked({n: scores[Patch(sites=(n,))] for n in range(count)})
    grown: tuple[int, ...] = (order[0],)
    for size in range(2, largest + 1):
        rest.pop(0)
        near = {n + step for n in grown for step in (-1, 1)}
        added = [n for n in range(count) if n in {*order[: search.candidates], *near}]
        bigger = [Patch(sites=tuple(sorted({*grown, n}))) for n in added if n not in grown]
        # Neighbours that do little alone may do much together, as SDXL's 55 to 57 in the paper.
        runs = [
            Patch(sites=tuple(range(low, low + size)))
            for low in range(max(0, order[0] - size + 1), min(order[0], count - size) + 1)
        ]
        measure([*bigger, *runs])
        grown = max(bigger, key=lambda v: (scores[v]["donor_similarity"], -scores[v].change)).sites
    rest.pop(0)
    measure([Patch(sites=tuple(range(count)))])
    goal = scores[WHOLE]["donor_similarity"] - search.within
    sets = {v.sites: s for v, s in scores.items() if v.sites and len(v.sites) <= largest}
    if search.override is not None:
        measure([Patch(sites=search.override)])
        read = scores[Patch(sites=search.override)]["donor_similarity"]
        choice = Choice(search.override, read >= goal)
    else:
        choice = choose(sets, goal)
    rest.pop(0)
    measure(Patch(sites=choice.sites, start_step=s) for s in search.start_steps)
    by_start = {s: scores[Patch(sites=choice.sites, start_step=s)] for s in search.start_steps}
    start = choose_start(by_start, goal, search.within)
    final = Patch(sites=choice.sites, start_step=start)
    rest.pop(0)
    if pooled:
        both = Patch(sites=choice.sites, start_step=start, swap_pooled=True)
        measure([both])
        if scores[final]["donor_similarity"] < goal <= scores[both]["donor_similarity"]:
            final = both
    return LocalizationResult(
        sites=sites,
        total_parameters=total_parameters,
        search=search,
        choice=choice,
        final=final,
        scores=scores,
    )


def _refuse_unreadable(scores: Mapping[Patch, SweepScore]) -> None:
    """Raise MeasureError where even the donor's own prompt does not draw the donor's text."""
    whole, plain = (scores[v]["donor_similarity"] for v in (WHOLE, NONE))
    if whole - plain < _READABLE:
        raise MeasureError(
            f"the pictures show no text that OCR reads: similarity to the donor's text is {whole:.2f} "
            f"with the donor's own prompt and {plain:.2f} without. Look at the pictures folder, and "
            f"give the size, --guidance and --steps that the model draws text with"
        )


def choose(sets: Mapping[tuple[int, ...], SweepScore], goal: float) -> Choice:
    """The smallest set whose donor similarity is at least `goal`, ties by less change outside.

    Where none is, the set whose donor's text is read best.
    """
    enough = [s for s in sets if sets[s]["donor_similarity"] >= goal]
    if enough:
        return Choice(min(enough, key=lambda s: (len(s), sets[s].change, s)), True)
    return Choice(min(sets, key=lambda s: (-sets[s]["donor_similarity"], len(s), s)), False)


def choose_start(starts: Mapping[int, SweepScore], goal: float, within: float) -> int:
    """The starting step that changes the picture outside of the text least and still does the work.

    It does where the donor's text is read at `goal` or, where the set never reaches that, within
    `within` of step 0, and the prompt's own text at most `within` above step 0.
    """
    first = starts[0]
    read = first["donor_similarity"]
    least = goal if read >= goal else read - within
    good = [
        step
        for step, score in starts.items()
        if score["donor_similarity"] >= least
        and score["source_similarity"] <= first["source_similarity"] + within
    ]
    return min(good, key=lambda step: (starts[step].change, step), default=0)


def ranked(singles: Mapping[int, SweepScore]) -> Sequence[int]:
    """By how far a site alone moves the reading from the prompt's text towards the donor's.

    A site that only garbles the prompt's text, as one that decides its length does, counts for that.
    """

    def moved(n: int) -> float:
        return singles[n]["donor_similarity"] - singles[n]["source_similarity"]

    return sorted(singles, key=lambda n: (-moved(n), n))


def _better(score: SweepScore, other: SweepScore) -> bool:
    read, least = score["donor_similarity"], other["donor_similarity"]
    return read > least or (math.isclose(read, least) and score.change < other.change)
