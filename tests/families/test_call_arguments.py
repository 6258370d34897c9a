"""Which arguments of a pipeline call are known, over all supported classes of diffusers."""

from __future__ import annotations

import inspect
from itertools import combinations

import diffusers
import pytest

from inkguard.errors import InvalidInput
from inkguard.families import BUILT_IN, call_arguments
from inkguard.families.call_arguments import EMBEDDINGS, NEGATIVE, TEXTS, refuse_unknown

KINDS = {
    name: kind
    for name in call_arguments.__all__
    if isinstance(kind := getattr(call_arguments, name), frozenset)
}
SUPPORTED = [str(name) for family in BUILT_IN for name in family.pipelines]
KNOWN = frozenset().union(*KINDS.values())


def arguments_of(name: str) -> set[str]:
    return {*inspect.signature(getattr(diffusers, name).__call__).parameters} - {"self", "kwargs"}


@pytest.mark.parametrize("name", SUPPORTED)
def test_every_argument_of_a_supported_class_is_known(name: str) -> None:
    """One that a later diffusers adds is missing here until somebody says what it brings in."""
    assert arguments_of(name) <= KNOWN


def test_no_argument_is_listed_twice_or_for_nothing() -> None:
    """Each has one kind, and some supported class takes it."""
    for (a, first), (b, second) in combinations(KINDS.items(), 2):
        assert not first & second, (a, b)
    taken = set().union(*map(arguments_of, SUPPORTED)) | {"callback", "callback_steps"}
    assert taken >= KNOWN


def test_what_is_named_like_text_is_not_taken_for_a_setting() -> None:
    """Names with "prompt", "embeds" or "pooled" in them are text, negative text, or embeddings."""
    telling = ("prompt", "embeds", "pooled", "instruction")
    for name in KNOWN:
        if any(word in name for word in telling) and not name.startswith("num_"):
            assert name in TEXTS | NEGATIVE | EMBEDDINGS | call_arguments.INSTRUCTIONS


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ({"gligen_phrases": ["a"]}, "gligen_phrases"),
        ({"prompt": "a", "prompt_2": "b"}, "prompt_2"),
        ({"cross_attention_kwargs": {"gligen": {}}}, "cross_attention_kwargs"),
        (
            {"joint_attention_kwargs": {"ip_adapter_image_embeds": []}},
            "joint_attention_kwargs",
        ),
        ({"attention_kwargs": {"scale": 1.0, "text": "a"}}, "attention_kwargs"),
    ],
)
def test_what_is_not_known_is_refused_by_name(call: dict[str, object], field: str) -> None:
    """Whatever its value."""
    with pytest.raises(InvalidInput, match=f"^{field}: "):
        refuse_unknown(call, ("prompt",), ())


def test_known_arguments_pass() -> None:
    """The scale of a LoRA among them."""
    refuse_unknown(
        {"prompt": "a", "eta": 0.0, "cross_attention_kwargs": {"scale": 0.5}}, ("prompt",), ()
    )
    refuse_unknown({"joint_attention_kwargs": None, "sharpness": 2.0}, ("prompt",), {"sharpness"})
