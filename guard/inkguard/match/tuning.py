"""Every threshold of `inkguard.match`, and what set it.

The values were chosen by hand. What all of them together find and spare is measured by `python bench/detect.py`
(docs/results/detection.md) and held by tests/policy/test_lists.py on the names and words of policies/harmless.yaml; "not measured"
says that no bench compared the value with its neighbours. The bounds keep time linear in the text, which
tests/match/disguises/test_seen_through.py holds.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TUNING", "MatchTuning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchTuning:
    """Lengths are in folded letters, unless something else is said."""

    # Compounds.
    shortest_beside_words: int = 5
    """A term that is found beside any other word ("GARDENIMBECILE"). Not measured."""
    shortest_dictionary_word: int = 4
    """Such a word, unless it is a common one: dictionaries hold every pair of letters. Not measured."""
    shortest_in_compound: int = 3
    """A term that is found beside a compound part ("YOUIDIOT"), counted with the space before it. Not measured."""
    longest_compound: int = 32
    """A word that is looked at as a compound: a bound."""
    most_digits_beside: int = 4
    """Digits that may follow or precede a term ("idiot1234"): a year. Not measured."""
    most_remembered: int = 10_000
    """Answers that an index keeps of whether something is a compound part: a bound."""

    # Leet and its lattice.
    longest_code: int = 3
    """Characters of a word with two digits or more that is a road or number plate ("A11"). Not measured."""
    most_skipped: int = 3
    """Dashes and dots that may stand between two letters of a lattice. Not measured."""
    farthest_leet: int = 40
    """Characters from where a word begins that a walk through the lattice goes: a bound."""
    most_leet_states: int = 3000
    """States of all walks through one text: a bound."""

    # Split words.
    widest_gap: int = 3
    """Characters between the parts of a word. Not measured."""
    fewest_split_letters: int = 4
    """Letters of both parts. Not measured."""
    most_split_letters: int = 20
    """Letters of both parts, and the space: a bound."""
    shortest_split_word: int = 3
    """A part that is a word because a dictionary has it; shorter ones only if they are common. Not measured."""

    # Masked words.
    longest_masked: int = 20
    """A bound."""
    fewest_masked_letters: int = 2
    """Letters that are left of a word with a sign that always masks. Not measured."""
    fewest_kept_letters: int = 3
    """Letters that are left of a word with another sign. Not measured."""
    shortest_one_letter_left: int = 4
    """A word of which one letter may be left, if the term is worse than mild. Not measured."""
    shortest_question: int = 4
    """A known word whose question mark may mask, counted with the mark: a longer one asks. Not measured."""

    # Words that no dictionary has.
    most_unknown_words: int = 500
    """Different ones in a text: a bound, since noise is full of them."""
    shortest_unknown: int = 3
    longest_unknown: int = 20
    """Words of other lengths are not looked at. Not measured."""
    shortest_reversed: int = 4
    """Not measured."""
    shortest_l_for_i: int = 4
    """Not measured."""
    shortest_sound: int = 3
    """The phonetic key of a term whose misspellings count. Not measured."""
    shortest_sure_sound: int = 5
    """The phonetic key of a term whose misspellings do not count. Not measured."""
    shortest_coarse_sound: int = 6
    """A word that is looked up by its coarse phonetic key. Not measured."""
    fewest_consonants: int = 4
    """Consonants of a coarse phonetic key. Not measured."""
    shortest_swapped: int = 4
    """A term in which two letters may have changed places. Not measured."""
    shortest_sure_swapped: int = 6
    """Such a term whose misspellings do not count: so long that it is no chance. Not measured."""
    shortest_misspelled: int = 5
    """A term or word with a letter too much or missing. Not measured."""
    shortest_changed: int = 7
    """A term with a wrong letter. Not measured."""

    # Regular expressions.
    regex_memory: int = 1 << 20
    """Bytes of one pattern's program, and of RE2's cache for it."""


TUNING = MatchTuning()
