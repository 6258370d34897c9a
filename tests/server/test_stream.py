"""GenerateImage over a real socket: what comes, and in which order."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from inkguard.guard import Guard
from inkguard.types import Method, Request
from inkguard.wire import convert
from inkguard.wire.v1 import guard_pb2 as pb

if TYPE_CHECKING:
    from tests.server.conftest import Live

TOXIC = 'a red sign that says "IDIOT"'


def kinds(events: list[Any]) -> list[str]:
    return [e.WhichOneof("event") for e in events]


def pngs(events: list[Any]) -> list[bytes]:
    found: dict[int, bytes] = {}
    for event in events:
        if event.HasField("chunk"):
            found[event.chunk.picture] = found.get(event.chunk.picture, b"") + event.chunk.data
    return [found[n] for n in sorted(found)]


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_events_come_in_the_promised_order(live: Live) -> None:
    """Decision; progress 1 to n; chunks; summary; nothing more."""
    events = list(live.generate(steps=4, seed=3))
    assert kinds(events) == ["decision", *["progress"] * 4, "chunk", "summary"]
    told = [(e.progress.step, e.progress.steps, e.progress.attempt) for e in events[1:5]]
    assert told == [(n, 4, 1) for n in range(1, 5)]
    assert events[5].chunk.last
    summary = events[-1].summary
    assert (summary.seed, summary.pictures, summary.model) == (3, 1, "sd3-tiny")
    assert (summary.rung, summary.verification) == (
        pb.RUNG_UNGUARDED,
        pb.VERIFICATION_NOT_NEEDED,
    )
    assert summary.method == pb.METHOD_SUBSTITUTE
    assert summary.decision.action == pb.ACTION_ALLOW
    assert set(summary.timings) == {"queue", "extract", "classify", "encode", "denoise", "decode"}
    assert all(seconds >= 0 for seconds in summary.timings.values())


def test_a_substituted_picture_is_read_and_its_sites_told(live: Live) -> None:
    """OCR read the picture; every attempt counts its steps from 1."""
    events = list(live.generate(TOXIC, seed=1, steps=4))
    assert kinds(events)[0] == "decision"
    attempts = [e.progress.attempt for e in events if e.HasField("progress")]
    summary = events[-1].summary
    assert attempts == sorted(attempts)
    assert attempts.count(1) == 4
    assert summary.verification == pb.VERIFICATION_CLEAN
    assert "verify" in summary.timings
    sites = list(live.sidecar.engine.models["sd3-tiny"].sites)
    assert list(summary.sites) == (sites if summary.rung == pb.RUNG_SITES else [])


def test_a_blocked_prompt_ends_well_without_a_picture(live: Live) -> None:
    """Status OK, a decision and a summary; the record says "blocked"."""
    stream = live.generate(TOXIC, policy="strict", metadata=(("x-request-id", "blocked-1"),))
    events = list(stream)
    assert stream.code().name == "OK"
    assert kinds(events) == ["decision", "summary"]
    assert events[0].decision.action == pb.ACTION_BLOCK
    assert not events[0].decision.HasField("donor_prompt")
    summary = events[1].summary
    assert (summary.pictures, summary.rung) == (0, pb.RUNG_BLOCK)
    assert live.record("blocked-1")["outcome"] == "blocked"


def test_several_pictures_come_one_after_another(live: Live) -> None:
    """Each is a whole PNG of its own, in the order of its number."""
    events = list(live.generate(pictures=3, seed=5))
    chunks = [e.chunk for e in events if e.HasField("chunk")]
    assert [c.picture for c in chunks if c.last] == [0, 1, 2]
    assert [c.picture for c in chunks] == sorted(c.picture for c in chunks)
    sizes = {Image.open(io.BytesIO(data)).size for data in pngs(events)}
    assert len(sizes) == 1
    assert len(set(pngs(events))) == 3
    assert events[-1].summary.pictures == 3


def test_a_size_is_kept(live: Live) -> None:
    """Width and height are the picture's."""
    (data,) = pngs(list(live.generate(width=64, height=32, guidance_scale=1.0)))
    assert Image.open(io.BytesIO(data)).size == (64, 32)


def test_a_large_picture_is_cut_into_chunks_below_a_megabyte() -> None:
    """Put together they are the file; only each picture's last chunk is marked."""
    large = bytes(range(256)) * 8192
    exact = b"x" * convert.CHUNK
    events = list(convert.chunks((large, exact, b"small")))
    assert all(e.ByteSize() < 1_000_000 for e in events)
    assert pngs(events) == [large, exact, b"small"]
    marked = [(e.chunk.picture, e.chunk.last) for e in events]
    assert marked == [*[(0, False)] * 3, (0, True), (1, True), (2, True)]


def test_a_seed_that_is_not_set_is_random_and_told(live: Live) -> None:
    """The summary's seed draws the same picture again."""
    first, second = (list(live.generate()) for _ in range(2))
    assert first[-1].summary.seed != second[-1].summary.seed
    again = list(live.generate(seed=first[-1].summary.seed))
    assert pngs(again) == pngs(first)
    assert pngs(second) != pngs(first)


@pytest.mark.parametrize("policy", ["default", "unread"])
def test_a_picture_is_the_one_drawn_in_process(live: Live, guard: Guard, policy: str) -> None:
    """Byte for byte, for a harmless prompt, with another engine's own copy of the weights."""
    here = guard.generate(Request(prompt="a blue star", seed=11, steps=3)).images
    there = pngs(list(live.generate("a blue star", seed=11, steps=3, policy=policy)))
    assert there == [png(image) for image in here]


@pytest.mark.parametrize(
    "method", [(pb.METHOD_SUBSTITUTE, "substitute"), (pb.METHOD_PROMPT_SWAP, "prompt_swap")]
)
def test_a_guarded_picture_is_the_one_drawn_in_process(
    live: Live, guard: Guard, method: tuple[int, str]
) -> None:
    """Substitution over the wire is substitution in process, with the same account of it."""
    number, name = method
    request = Request(prompt=TOXIC, seed=7, steps=4, method=Method(name))
    here = guard.generate(request)
    events = list(live.generate(TOXIC, seed=7, steps=4, method=number))
    assert pngs(events) == [png(image) for image in here.images]
    summary = events[-1].summary
    assert convert.enum_from_proto(Method, summary.method) is here.method
    assert convert.enum_from_proto(type(here.rung), summary.rung) is here.rung
    assert tuple(summary.sites) == here.sites
    assert convert.decision_from_proto(summary.decision) == here.decision


def test_a_harmless_picture_is_the_bare_pipelines(live: Live, guard: Guard) -> None:
    """The guard costs a harmless prompt no pixel."""
    import torch

    pipe = guard.pipeline._pipe
    assert guard.manifest is not None
    bare = pipe(
        prompt=["a green square"],
        num_inference_steps=3,
        num_images_per_prompt=1,
        generator=torch.Generator("cpu").manual_seed(9),
        **guard.manifest.call,
    ).images[0]
    (data,) = pngs(list(live.generate("a green square", seed=9, steps=3)))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(bare))
    assert data == png(bare)
