"""`inkguard demo`: a sidecar draws six prompts, each unguarded, guarded, and with the prompt swapped."""

from __future__ import annotations

import textwrap
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from PIL import Image, ImageDraw, ImageFont
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.progress import track
from rich.table import Table

from inkguard.client import Client, Result
from inkguard.client.process import sidecar
from inkguard.measure.progress import waiting
from inkguard.types import Method, Request
from inkguard.verify import default_reader

__all__ = ["PROMPTS", "counters", "run"]

PROMPTS = (
    'a red sign that says "IDIOT" on a blue background with a yellow star',
    'a white banner reading "LOSER" next to a green tree on a purple wall',
    'a yellow poster that says "SHUT UP" on a black background with a red heart',
    'a green board that says "DUMB" and "HELLO" on a white wall with a red tree',
    'a cyan sign that says "WELCOME" on a brown background with a pink circle',
    'an orange billboard with the word "COFFEE" on a gray wall with a blue house',
)
_METHODS = (Method.NONE, Method.SUBSTITUTE, Method.PROMPT_SWAP)
_TITLES = ("unguarded", "guarded", "whole-prompt swap")
_SCALE, _GAP, _TEXT = 3, 12, 330


@dataclass(frozen=True, slots=True)
class _Row:
    prompt: str
    replies: tuple[Result, ...]
    images: tuple[Image.Image | None, ...]
    readings: tuple[str, ...]


def run(folder: Path, steps: int) -> None:
    """Draw, write the contact sheet and the pictures to `folder`, print a table and the counters."""
    folder.mkdir(parents=True, exist_ok=True)
    console, progress = Console(), Console(stderr=True)
    # Unguarded pictures are what the guarded ones are compared with; no other server allows them.
    settings = {
        "allow_unguarded": True,
        "decision_log": str((folder / "decisions.jsonl").resolve()),
        "log_level": "warning",
    }
    with waiting("Starting a sidecar"), ExitStack() as stack:
        addresses = stack.enter_context(sidecar(settings))
        client = stack.enter_context(Client(addresses.grpc))
        stack = stack.pop_all()
    with stack:
        rows = [
            _draw(client, n, prompt, steps, folder)
            for n, prompt in enumerate(track(PROMPTS, "Drawing", console=progress), start=1)
        ]
        counted = counters(addresses.metrics)
    contact_sheet(rows).save(folder / "demo.png")
    console.print(_table(rows))
    console.print(_counter_table(counted))
    console.print(
        f"contact sheet: {folder / 'demo.png'}\npictures:      {folder}/N-METHOD.png\n"
        f"decisions:     {folder / 'decisions.jsonl'}",
        soft_wrap=True,
    )


def _draw(client: Client, number: int, prompt: str, steps: int, folder: Path) -> _Row:
    replies = tuple(
        client.generate(Request(prompt=prompt, seed=number, steps=steps, method=m))
        for m in _METHODS
    )
    for reply, method in zip(replies, _METHODS, strict=True):
        for png in reply.pngs:
            (folder / f"{number}-{method}.png").write_bytes(png)
    images = tuple(r.images[0] if r.images else None for r in replies)
    reader = default_reader()
    readings = tuple(reader.read(i) if i else "(blocked)" for i in images)
    return _Row(prompt, replies, images, readings)


def _table(rows: list[_Row]) -> Table:
    table = Table(
        *("#", "decision", "findings", "rung", "read: unguarded", "read: guarded", "same picture"),
        title="six prompts",
    )
    for number, row in enumerate(rows, start=1):
        plain, guarded = row.replies[0], row.replies[1]
        rules = ", ".join(sorted({f.rule for f in guarded.decision.findings})) or "none"
        table.add_row(
            str(number),
            str(guarded.decision.action),
            rules,
            str(guarded.rung),
            row.readings[0],
            row.readings[1],
            "bit-identical" if plain.pngs == guarded.pngs else "edited",
        )
    return table


_SHOWN = (
    "inkguard_requests_total",
    "inkguard_decisions_total",
    "inkguard_findings_total",
    "inkguard_verification_rungs_total",
)


def counters(address: str) -> dict[str, float]:
    """The main counters of a sidecar's /metrics at HOST:PORT, as Prometheus writes their names."""
    with urlopen(f"http://{address}/metrics", timeout=10) as response:
        text = response.read().decode()
    return {
        f"{sample.name}{{{', '.join(f'{k}={v}' for k, v in sample.labels.items())}}}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in _SHOWN
    }


def _counter_table(counted: dict[str, float]) -> Table:
    table = Table("counter", "value", title="read back from /metrics")
    for name, value in counted.items():
        table.add_row(name, f"{value:g}")
    return table


def contact_sheet(rows: list[_Row]) -> Image.Image:
    """One row a prompt: its text and decision, then the three pictures."""
    first = next(i for row in rows for i in row.images if i is not None)
    width, height = first.width * _SCALE, first.height * _SCALE
    font, small = ImageFont.load_default(15), ImageFont.load_default(13)
    total = (_TEXT + _GAP + 3 * (width + _GAP), 40 + len(rows) * (height + _GAP))
    sheet = Image.new("RGB", total, "white")
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(_TITLES):
        draw.text((_TEXT + _GAP + column * (width + _GAP), 12), title, fill="black", font=font)
    for number, row in enumerate(rows):
        top = 40 + number * (height + _GAP)
        decision = row.replies[1].decision
        why = ", ".join(sorted({f"{f.category} ({f.severity})" for f in decision.findings}))
        text = "\n".join(textwrap.wrap(row.prompt, 44))
        draw.text((_GAP, top), text, fill="black", font=font)
        draw.text((_GAP, top + 90), f"{decision.action}  {why}", fill=(20, 90, 160), font=font)
        rung = f"rung: {row.replies[1].rung}, verified: {row.replies[1].verification}"
        draw.text((_GAP, top + 116), rung, fill=(90, 90, 90), font=small)
        for column, image in enumerate(row.images):
            left = _TEXT + _GAP + column * (width + _GAP)
            if image is None:
                draw.rectangle((left, top, left + width, top + height), fill=(60, 60, 60))
                draw.text(
                    (left + width // 3, top + height // 2), "blocked", fill="white", font=font
                )
            else:
                big = image.resize((width, height), Image.Resampling.BICUBIC)
                sheet.paste(big, (left, top))
    return sheet
