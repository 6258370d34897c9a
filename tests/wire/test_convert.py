"""Records to protobuf and back."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkguard.errors import InvalidInput
from inkguard.picture import Picture
from inkguard.types import (
    Action,
    CheckResult,
    Decision,
    Finding,
    Method,
    PolicyRef,
    Progress,
    Request,
    Result,
    Rung,
    Severity,
    TextSpan,
    Verification,
)
from inkguard.wire import convert
from inkguard.wire.v1 import guard_pb2 as pb

ENUMS = (Action, Severity, Method, Rung, Verification)
# Protobuf holds every text but lone surrogates, which are no text.
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@st.composite
def placed(draw: Any) -> dict[str, Any]:
    text, start = draw(texts), draw(st.integers(0, 100_000))
    return {"start": start, "end": start + len(text), "text": text}


spans = st.builds(lambda p, cue: TextSpan(**p, cue=cue), placed(), st.sampled_from(["quoted", ""]))
findings = st.builds(
    lambda p, names, severity, score, action: Finding(
        **p, **names, severity=severity, score=score, action=action
    ),
    placed(),
    st.fixed_dictionaries({"source": texts, "rule": texts, "category": texts}),
    st.sampled_from(Severity),
    st.floats(0, 1),
    st.sampled_from(Action),
)


@st.composite
def decisions(draw: Any) -> Decision:
    action = draw(st.sampled_from(Action))
    return Decision(
        action=action,
        policy=PolicyRef(name=draw(texts), version=draw(texts)),
        spans=tuple(draw(st.lists(spans, max_size=3))),
        findings=tuple(draw(st.lists(findings, max_size=3))),
        donor_prompt=draw(st.just("") | texts) if action is Action.SUBSTITUTE else None,
        reason=draw(texts),
    )


@settings(max_examples=150, deadline=None)
@given(decisions())
def test_a_decision_survives_the_wire(decision: Decision) -> None:
    """Through bytes and back it is equal, an empty donor prompt included."""
    wire = convert.decision_to_proto(decision).SerializeToString()
    assert convert.decision_from_proto(pb.Decision.FromString(wire)) == decision


@pytest.mark.parametrize("kind", ENUMS)
def test_an_enum_has_a_number_for_every_member_and_no_other(kind: type) -> None:
    """Members and the proto's values, but for "unspecified", are the same set both ways."""
    numbers = {convert.enum_to_proto(member) for member in kind}
    assert numbers == set(getattr(pb, kind.__name__).values()) - {0}
    assert [convert.enum_from_proto(kind, convert.enum_to_proto(m)) for m in kind] == list(kind)


@pytest.mark.parametrize(
    ("number", "method"),
    [
        (pb.METHOD_UNSPECIFIED, Method.SUBSTITUTE),
        (pb.METHOD_SUBSTITUTE, Method.SUBSTITUTE),
        (pb.METHOD_PROMPT_SWAP, Method.PROMPT_SWAP),
        (pb.METHOD_NONE, Method.NONE),
    ],
)
def test_a_method_that_is_not_set_is_substitution(number: int, method: Method) -> None:
    """Guarded is the default."""
    assert convert.method_from_proto(number) is method


def test_an_unknown_method_is_refused() -> None:
    """Not drawn in some other way."""
    with pytest.raises(InvalidInput, match=r"^method: .*99") as error:
        convert.method_from_proto(99)
    assert error.value.field == "method"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=3000), max_size=3), st.integers(1, 999))
def test_chunks_put_together_are_the_pictures(pictures: list[bytes], size: int) -> None:
    """For every chunk size; each picture has exactly one last chunk, at its end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert, "CHUNK", size)
        chunks = [event.chunk for event in convert.chunks(tuple(pictures))]
    for number, picture in enumerate(pictures):
        own = [c for c in chunks if c.picture == number]
        assert b"".join(c.data for c in own) == picture
        assert [c.last for c in own] == [False] * (len(own) - 1) + [True]
        assert all(len(c.data) <= size for c in own)


def test_events_become_messages() -> None:
    """Each kind of event is its own kind of message, with all of its values."""
    decision = Decision(action=Action.ALLOW, policy=PolicyRef(name="p", version="2"))
    checked = convert.event_to_proto(CheckResult(decision=decision))
    assert convert.decision_from_proto(checked.decision) == decision
    progress = Progress(step=2, steps=9, attempt=3)
    assert convert.progress_from_proto(convert.event_to_proto(progress).progress) == progress


def test_a_result_survives_the_wire() -> None:
    """Its pictures are the files that were sent: nothing is decoded or encoded on the way."""
    result = Result(
        decision=Decision(action=Action.ALLOW, policy=PolicyRef(name="p", version="2")),
        pictures=(Picture(png=b"no picture"), Picture(png=b"nor this")),
        seed=2**63 - 20,
        method=Method.PROMPT_SWAP,
        rung=Rung.ALL_LAYERS,
        verification=Verification.CLEAN,
        sites=(3, 4),
        timings={"queue": 0.5},
        model="m",
    )
    message = pb.Summary.FromString(convert.result_to_proto(result).SerializeToString())
    assert message.pictures == 2
    assert convert.result_from_proto(message, result.pngs) == result


requests = st.builds(
    Request,
    prompt=texts,
    seed=st.integers(0, 2**63 - 17),
    steps=st.integers(1, 1000),
    guidance_scale=st.none() | st.floats(0, 100),
    width=st.none() | st.integers(1, 2048),
    height=st.none() | st.integers(1, 2048),
    pictures=st.integers(1, 16),
    method=st.sampled_from(Method),
)


@settings(max_examples=100, deadline=None)
@given(requests)
def test_a_request_survives_the_wire(request: Request) -> None:
    """Field by field; a seed is the server's own only where the client has left it out."""
    for random_seed in (False, True):
        message = convert.request_to_proto(request, model="m", policy="p", random_seed=random_seed)
        read = pb.GenerateImageRequest.FromString(message.SerializeToString())
        assert (read.model, read.policy) == ("m", "p")
        wanted = dataclasses.replace(request, seed=5) if random_seed else request
        assert convert.request_from_proto(read, 5) == wanted


def test_what_a_request_leaves_open_is_the_records_default() -> None:
    """The defaults are in one place."""
    message = pb.GenerateImageRequest(prompt="a cat")
    assert convert.request_from_proto(message, 0) == Request(prompt="a cat")


def test_a_negative_prompt_is_refused_and_not_left_out() -> None:
    """The wire has no field for it, and a picture drawn without it would be another one."""
    with pytest.raises(InvalidInput, match="negative_prompt"):
        convert.request_to_proto(
            Request(prompt="a cat", negative_prompt="a dog"), model="", policy="", random_seed=False
        )
