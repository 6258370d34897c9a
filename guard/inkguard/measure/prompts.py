"""Pairs of prompts that differ in one word: what is drawn, and whose text is read instead."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from inkguard.errors import MeasureError
from inkguard.measure.world.captions import held_out, plain_caption, sample_scene
from inkguard.measure.world.scene import Scene
from inkguard.types import MAX_PROMPT
from inkguard.verify import letters_of

__all__ = [
    "TEMPLATE",
    "Pair",
    "digest_pairs",
    "read_lines",
    "read_pairs",
    "refuse_lines",
    "world_pairs",
]

_T = TypeVar("_T")
TEMPLATE = 'A sign that says "{}".'
"""The paper's prompt for a word of its list (section 3, after GlyphControl's SimpleBench)."""
_QUOTES = (('"', '"'), ("“", "”"), ("«", "»"), ("「", "」"), ("`", "`"))
_EXPECTED = (
    'expected one word, a prompt with one text in double quotes, or {"prompt": ..., "donor": ...}'
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A prompt and a donor prompt that is the same but for the text to be drawn.

    `word` and `donor` are the two texts. `seed` is the noise's, one fixed seed a pair. `scene` is what
    the prompt describes in our synthetic world, None for prompts of other origin.
    """

    prompt: str
    donor_prompt: str
    word: str
    donor: str
    seed: int
    scene: Scene | None = None

    @property
    def equal_length(self) -> bool:
        """Whether both texts have as many letters."""
        return len(letters_of(self.word)) == len(letters_of(self.donor))


def world_pairs(
    count: int,
    seeds: int = 1,
    seed: int = 77,
    *,
    letters: tuple[int, int] = (4, 8),
    scenes: bool = True,
) -> list[Pair]:
    """Pairs over held-out words of the synthetic world, reproducible from `seed`.

    Args:
        count: prompts; those at even places have words of equal length, at odd ones of different.
        seeds: pictures of each prompt, with different noise. The result has count * seeds pairs,
            all prompts with their first seed before the second seeds begin.
        seed: of the choice of words and scenes.
        letters: least and most letters of a word.
        scenes: describe a whole scene; False writes the words into TEMPLATE, for other models.
    """
    rng = np.random.default_rng(seed)
    low, high = letters
    words = sorted(w for w in held_out() if low <= len(w) <= high and " " not in w)
    pairs: list[Pair] = []
    while len(pairs) < count:
        word, donor = (str(w) for w in rng.choice(words, 2, replace=False))
        if (len(word) == len(donor)) != (len(pairs) % 2 == 0):
            continue
        scene = sample_scene(rng, word) if scenes else None
        prompt = plain_caption(scene) if scene else TEMPLATE.format(word)
        swapped = prompt.replace(f'"{word}"', f'"{donor}"')
        pairs.append(Pair(prompt, swapped, word, donor, len(pairs), scene))
    return _repeat(pairs, seeds)


def read_pairs(path: Path, count: int | None = None, seeds: int = 1, seed: int = 77) -> list[Pair]:
    """Pairs from a prompts file; every line that is not empty is one prompt.

    A line is one of: a word (the paper's lists: it goes into TEMPLATE); a prompt with exactly one
    text in double quotes; a JSON object with "prompt", such a prompt, and "donor", the text to draw
    instead (may be left out). Donors that are not given are drawn from the texts of the other
    lines with `seed`: of equal length for every other pair where the file has one.

    Args:
        path: UTF-8 text, with or without a byte order mark.
        count: use the first `count` lines; all of them where it is None.
        seeds: as in `world_pairs`.
        seed: of the choice of donors.

    Raises:
        MeasureError: the file cannot be read, holds too few texts, or has bad lines. It names each
            bad line as file:line (never its content) and says what is expected.
    """
    parsed = [pair for _, pair in read_lines(path, _parse, _EXPECTED)]
    texts = sorted({word for _, word, _ in parsed})
    rng = np.random.default_rng(seed)
    pairs = []
    for n, (prompt, word, given) in enumerate(parsed[:count]):
        donor = given if given is not None else _donor(word, texts, n % 2 == 0, rng)
        if donor is None:
            raise MeasureError(
                f"{path}: a donor needs a second text: add a line with another word, or give "
                f'JSON lines with "donor"'
            )
        pairs.append(Pair(prompt, _swap(prompt, word, donor), word, donor, n))
    return _repeat(pairs, seeds)


def read_lines(path: Path, parse: Callable[[str], _T], expected: str) -> list[tuple[int, _T]]:
    """The lines of a UTF-8 file that are not empty, each parsed and with its number from 1.

    `parse` raises ValueError that says what is wrong with a line, without its content; `expected` says
    what a line may be. Raises MeasureError for a file that cannot be read or is empty, and for bad
    lines, all of which it names.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise MeasureError(f"{path}: {error.strerror}: give a text file of prompts") from None
    except UnicodeDecodeError as error:
        raise MeasureError(f"{path}: not UTF-8 at byte {error.start}") from None
    parsed: list[tuple[int, _T]] = []
    problems: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                parsed.append((number, parse(line.strip())))
            except ValueError as error:
                problems.append(f"{path}:{number}: {error}")
    refuse_lines(problems, expected)
    if not parsed:
        raise MeasureError(f"{path}: no prompt in it; {expected}")
    return parsed


def refuse_lines(problems: Sequence[str], expected: str) -> None:
    """Raise MeasureError where there are problems: the first ten, and what a line should be."""
    if problems:
        more = [f"... and {len(problems) - 10} more"] if len(problems) > 10 else []
        raise MeasureError("\n".join([*problems[:10], *more, expected]))


def digest_pairs(pairs: Sequence[Pair]) -> str:
    """SHA-256 of the prompts, donors and seeds, in order: "sha256:..."."""
    rows = [[p.prompt, p.donor_prompt, p.word, p.donor, p.seed] for p in pairs]
    data = json.dumps(rows, ensure_ascii=False).encode()
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _repeat(pairs: Sequence[Pair], seeds: int) -> list[Pair]:
    return [
        Pair(p.prompt, p.donor_prompt, p.word, p.donor, p.seed + k * len(pairs), p.scene)
        for k in range(seeds)
        for p in pairs
    ]


def _parse(line: str) -> tuple[str, str, str | None]:
    """Prompt, its text, and the donor text where one is given; ValueError says what is wrong."""
    if len(line) > MAX_PROMPT:
        raise ValueError(f"longer than {MAX_PROMPT} characters")
    if line.startswith("{"):
        return _parse_json(line)
    quoted = list(_quoted(line))
    if not quoted and any(q in line for pair in _QUOTES for q in pair):
        raise ValueError("a quotation mark without its partner, or nothing between the two")
    if not quoted:
        if len(line.split()) > 1:
            raise ValueError("several words without a quoted text")
        if not letters_of(line):
            raise ValueError("no letter in it")
        return TEMPLATE.format(line), line, None
    return line, _single(quoted), None


def _parse_json(line: str) -> tuple[str, str, str | None]:
    try:
        data = json.loads(line)
    except (json.JSONDecodeError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(data, dict) or not isinstance(data.get("prompt"), str):
        raise ValueError('"prompt" must be a string')
    if unknown := set(data) - {"prompt", "donor"}:
        raise ValueError(f"{len(unknown)} unknown keys")
    word = _single(list(_quoted(data["prompt"])))
    donor = data.get("donor")
    if donor is None:
        return data["prompt"], word, None
    if not isinstance(donor, str) or not letters_of(donor):
        raise ValueError('"donor" must be a string with letters')
    if any(mark in donor for pair in _QUOTES for mark in pair):
        raise ValueError('"donor" must be the text alone, without quotation marks')
    if letters_of(donor) == letters_of(word):
        raise ValueError('"donor" is the text of the prompt itself')
    return data["prompt"], word, donor


def _single(quoted: list[str]) -> str:
    if len(quoted) != 1:
        raise ValueError(f"{len(quoted)} quoted texts in the prompt, where one is needed")
    if not letters_of(quoted[0]):
        raise ValueError("no letter in the quoted text")
    return quoted[0]


def _quoted(prompt: str) -> Iterator[str]:
    place = 0
    while place < len(prompt):
        opened = next((pair for pair in _QUOTES if prompt[place] == pair[0]), None)
        if opened is not None and (end := prompt.find(opened[1], place + 1)) > place + 1:
            yield prompt[place + 1 : end]
            place = end
        place += 1


def _swap(prompt: str, word: str, donor: str) -> str:
    for left, right in _QUOTES:
        if f"{left}{word}{right}" in prompt:
            return prompt.replace(f"{left}{word}{right}", f"{left}{donor}{right}")
    raise AssertionError("the text was found between quotation marks")


def _donor(word: str, texts: Sequence[str], equal: bool, rng: np.random.Generator) -> str | None:
    others = [t for t in texts if letters_of(t) != letters_of(word)]
    size = len(letters_of(word))
    fitting = [t for t in others if (len(letters_of(t)) == size) == equal]
    return str(rng.choice(fitting or others)) if others else None
