"""Every threshold of `inkguard.extract`, and what set it.

The bounds (`most_...`) keep time linear in the prompt; tests/extract/test_linear.py holds that. A bound never lets text
pass unseen: what lies beyond it is read more coarsely, as one span or as it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TUNING", "ExtractTuning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractTuning:
    """Lengths are in code points. "Not measured": chosen by hand, with no measurement that another value was worse."""

    # Bounds. Text encoders read at most 512 tokens, so that any prompt that is drawn has fewer of each.
    most_edits: int = 4000
    """Escapes, and tokens of prompt weights, that are undone; later ones are read as they stand."""
    most_quotes: int = 2000
    """Quotes that are told apart; what lies beyond is one span."""
    most_cues: int = 400
    """Cues of a kind that are told apart; what lies beyond is one span."""
    most_letters: int = 500
    """Letters that may belong to a list of letters."""
    most_runs: int = 1000
    """Runs of capitals, and hashtags."""
    most_windows: int = 500
    """Neighbouring fragments that are read together."""

    # How far text reaches. Not measured.
    longest_cued: int = 160
    """Text after a cue."""
    farthest_before_cue: int = 80
    """Where text before a cue may begin."""
    longest_plural: int = 60
    """Text between single quotes, if a plural's apostrophe ("DOGS'") stands in between."""

    # Capitals and lists of letters. Not measured.
    most_shouted_words: int = 6
    """Words of a prompt in capitals that are still taken for text; a longer one shouts all through."""
    fewest_letters_after_cue: int = 2
    """Single capitals that are a list, where the prompt speaks of letters."""
    fewest_letters: int = 3
    """Single capitals that are a list by themselves."""

    # Reassembly. Not measured.
    longest_reversed: int = 400
    """A fragment that is read in reverse, where the prompt does not ask for reversed text."""
    seam_reach: int = 40
    """How much of the fragments on both sides of a seam is read together: no term is longer."""
    most_joined: int = 3
    """Fragments between the first and the last of a word, if they have more than two letters."""
    most_joined_letters: int = 24
    """Letters of the fragments between the first and the last of a word."""
    shortest_reversed: int = 4
    """Letters of a word that counts in reverse, where the prompt does not ask for reversed text."""
    fewest_different_letters: int = 3
    """Different letters of such a word."""


TUNING = ExtractTuning()
