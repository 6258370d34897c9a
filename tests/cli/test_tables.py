"""What the commands print for people fits 80 columns, with nothing cut that decides."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from rich.table import Table

from inkguard.cli.demo import PROMPTS, Row, contact_sheet, table_of
from inkguard.cli.evaluate import summary_table
from inkguard.cli.localize import result_table
from inkguard.cli.terminal import duration, explain_reason
from inkguard.evaluate.options import Compared
from inkguard.evaluate.run import Evaluation
from inkguard.evaluate.table import summarise
from inkguard.localize.patch import NONE, WHOLE, Patch, Site
from inkguard.localize.plan import Choice, LocalizationResult, Search
from inkguard.localize.sweep import SweepScore
from inkguard.picture import Picture
from inkguard.types import (
    Action,
    Decision,
    Finding,
    Method,
    PolicyRef,
    Result,
    Rung,
    Severity,
    Verification,
)


def printed(table: Table) -> str:
    """On a terminal of 80 columns."""
    console = Console(file=io.StringIO(), width=80, legacy_windows=False)
    console.print(table)
    output = console.file
    assert isinstance(output, io.StringIO)
    text = output.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    return text


def test_the_table_of_sites_shows_the_chosen_ones_whole() -> None:
    """Three sites of 70, a later start and pooled text make the longest name; it goes on in the next line."""
    score = SweepScore({"donor_similarity": 0.987, "donor_exact": 0.9, "mse_outside": 0.12345}, 4)
    final = Patch(sites=(55, 56, 57), start_step=12, swap_pooled=True)
    result = LocalizationResult(
        sites=[Site(n, f"down_blocks.{n}.attn2", 1_000) for n in range(70)],
        total_parameters=100_000,
        search=Search(),
        choice=Choice(final.sites, True),
        final=final,
        scores=dict.fromkeys(
            (NONE, WHOLE, *(Patch(sites=(n,)) for n in range(70)), Patch(sites=final.sites), final),
            score,
        ),
    )
    text = "".join(printed(result_table(result)).split())
    for said in ("unpatched", "wholeprompt", "55,56,57fromstep12", "chosen", "0.987", "123.45"):
        assert said in text


def test_the_table_of_methods_shows_every_method() -> None:
    """By the name that people know it by, with both shares and their intervals."""
    row = {
        **dict.fromkeys(("readable", "own_read", "donor_read"), True),
        **dict.fromkeys(("toxic_recall", "toxic_f1", "toxicity", "seconds"), 0.5),
        **{
            f"{m}{part}": 0.9
            for m in ("mse", "ssim", "psnr")
            for part in ("", "_inside", "_outside")
        },
    }
    summaries = summarise({str(m): [row] * 200 for m in Compared})
    text = printed(summary_table(Evaluation(prompts=200, summaries=summaries, answers="")))
    for said in ("unguarded", "negative_prompt", "two_pass", "1.000", "[0.981, 1.000]", "1.00x"):
        assert said in text


def drawn(action: Action, pictures: int) -> Result:
    prompt = PROMPTS[0].prompt
    start = prompt.index("DORK")
    finding = Finding(
        start=start,
        end=start + 4,
        text="DORK",
        source="wordlist",
        rule="insult.mild#1",
        category="insult",
        severity=Severity.MILD,
        score=1.0,
        action=action,
    )
    image = Image.new("RGB", (96, 64), "red")
    return Result(
        decision=Decision(
            action=action,
            policy=PolicyRef(name="p", version="1"),
            findings=(finding,),
            donor_prompt=prompt if action is Action.SUBSTITUTE else None,
        ),
        pictures=(Picture(image=image),) * pictures,
        seed=1,
        method=Method.SUBSTITUTE,
        rung=Rung.ALL_LAYERS if pictures else Rung.BLOCK,
        verification=Verification.CLEAN,
    )


def test_the_demos_table_and_sheet_show_what_was_read_and_what_was_kept() -> None:
    """Also where a method blocked, and where OCR read more than a cell holds."""
    pixels = np.full((64, 96, 3), 200, dtype=np.uint8)
    sign = np.zeros((64, 96), dtype=bool)
    sign[4:20, 8:80] = True
    row = Row(
        shown=PROMPTS[0],
        replies=(drawn(Action.SUBSTITUTE, 1), drawn(Action.BLOCK, 0), drawn(Action.SUBSTITUTE, 1)),
        pictures=(pixels, None, pixels),
        readings=("A LONGER READING THAN A CELL", "(blocked)", "\\u661f"),
        sign=sign,
        outside=(1.0, None, 0.4567),
    )
    text = printed(table_of([row]))
    for said in ("block", "insult", "mild", "same"):
        assert said in text
    sheet = contact_sheet([row])
    assert sheet.width > 5 * 240


@pytest.mark.parametrize(
    ("seconds", "said"), [(50, "50 s"), (720, "12 minutes"), (12_600, "3.5 hours")]
)
def test_a_time_is_told_in_the_unit_that_people_name(seconds: float, said: str) -> None:
    """Seconds, minutes or hours."""
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("shadow_block", "enforced, it would be block"),
        ("classifier_error", "the classifier failed"),
        ("toxic_text_in_picture", "toxic text was read in the picture"),
        ("findings_as_read", "in the prompt as the model reads it"),
        ("a_code_of_tomorrow", "a_code_of_tomorrow"),
    ],
)
def test_a_reason_is_told_in_words(reason: str, said: str) -> None:
    """An unknown code is told as it is."""
    assert said in explain_reason(reason)
