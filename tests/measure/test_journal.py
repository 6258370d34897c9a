"""Results that survive kills, full disks and the wrong folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inkguard.errors import MeasureError
from inkguard.measure.journal import Journal

IDENTITY: dict[str, Any] = {"weights": "sha256:1", "steps": 20, "call": {"height": 64}}


def row(pair: int, variant: str = "4") -> dict[str, Any]:
    return {"variant": variant, "pair": pair, "read": "FÜR", "donor_exact": True}


def test_results_are_there_again(tmp_path: Path) -> None:
    """Opening the file with the same identity gives the rows back."""
    path = tmp_path / "deep" / "results.jsonl"
    with Journal(path, IDENTITY) as journal:
        journal.append([row(0), row(1)])
    with Journal(path, IDENTITY) as journal:
        assert journal.rows == {("4", 0): row(0), ("4", 1): row(1)}


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, cut: int) -> None:
    """What came before stays, and the next result stands on a line of its own."""
    path = tmp_path / "results.jsonl"
    with Journal(path, IDENTITY) as journal:
        journal.append([row(0), row(1)])
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with Journal(path, IDENTITY) as journal:
        assert journal.rows == {("4", 0): row(0)}
        journal.append([row(1)])
    assert path.read_bytes() == whole


def test_a_torn_header_is_a_fresh_file(tmp_path: Path) -> None:
    """A run that was killed in its first write has measured nothing."""
    path = tmp_path / "results.jsonl"
    path.write_text('{"format": "inkg')
    with Journal(path, IDENTITY) as journal:
        assert journal.rows == {}
    assert len(path.read_text().splitlines()) == 1


def test_another_models_or_settings_run_is_refused(tmp_path: Path) -> None:
    """The error names each difference, and the file stays as it is."""
    path = tmp_path / "results.jsonl"
    with Journal(path, IDENTITY) as journal:
        journal.append([row(0)])
    before = path.read_bytes()
    with pytest.raises(MeasureError) as caught:
        Journal(path, {**IDENTITY, "weights": "sha256:2", "steps": 28})
    assert "steps is 20 there and 28 now" in str(caught.value)
    assert "weights is sha256:1 there and sha256:2 now" in str(caught.value)
    assert "another --out" in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["hello\n", "[]\n", '{"a": 1}\n', '{"format": "x 1"}\n', "\n"])
def test_a_file_of_another_origin_is_refused(tmp_path: Path, text: str) -> None:
    """Nothing is appended to what this command did not write."""
    path = tmp_path / "results.jsonl"
    path.write_text(text)
    with pytest.raises(MeasureError, match="not a file of this command"):
        Journal(path, IDENTITY)
    assert path.read_text() == text


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    """No kill makes such a line, so it is not silently skipped."""
    path = tmp_path / "results.jsonl"
    with Journal(path, IDENTITY) as journal:
        journal.append([row(0)])
    path.write_text(path.read_text() + "oops\n" + json.dumps(row(1)) + "\n")
    with pytest.raises(MeasureError, match=r"results\.jsonl:3: not a result"):
        Journal(path, IDENTITY)


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    """The second is refused while the first has it open."""
    path = tmp_path / "results.jsonl"
    with Journal(path, IDENTITY), pytest.raises(MeasureError, match="another run"):
        Journal(path, IDENTITY)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """The error names the path and asks for another one."""
    (tmp_path / "file").write_text("")
    with pytest.raises(MeasureError, match="another --out"):
        Journal(tmp_path / "file" / "results.jsonl", IDENTITY)


def test_a_full_disk_ends_clearly_and_keeps_what_was_measured(tmp_path: Path) -> None:
    """The system itself refuses the write, in the middle of a line; afterwards the run goes on."""
    path = tmp_path / "results.jsonl"
    script = f"""
import resource, signal
from pathlib import Path
from inkguard.measure.journal import Journal
from inkguard.errors import MeasureError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
try:
    with Journal(Path({str(path)!r}), {IDENTITY!r}) as journal:
        for n in range(100):
            journal.append([{{**{row(0)!r}, "pair": n}}])
except MeasureError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "the same command goes on" in done.stdout, done.stderr
    assert path.stat().st_size == 500
    with Journal(path, IDENTITY) as journal:
        assert 3 < len(journal.rows) < 8
        assert [n for _, n in journal.rows] == list(range(len(journal.rows)))
