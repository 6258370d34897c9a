"""Ways round the guard that are closed: what changes during the call, and what only looks harmless."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch

from inkguard.draw.guarded_pipeline import wrap
from inkguard.errors import InvalidInput, SubstitutionError, UnguardedUse
from inkguard.families.registry import adapter_for
from tests.draw.cases import Case, FixedReader, case_of, draw, guarded_by, pictures
from tests.families.calls import HARMLESS, TOXIC

CALLBACK = "callback_on_step_end"


class Harmless(str):
    """A prompt whose every method speaks of another one; its letters are its own."""

    def __str__(self) -> str:
        return HARMLESS

    def __len__(self) -> int:
        return len(HARMLESS)

    def __iter__(self) -> Any:
        return iter(HARMLESS)

    def __getitem__(self, key: Any) -> str:
        return HARMLESS[key]

    def __contains__(self, part: object) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash(HARMLESS)

    def lower(self) -> str:
        return HARMLESS

    casefold = strip = replace = split = translate = lower  # type: ignore[assignment]

    def isascii(self) -> bool:
        return True


class Turning(list[str]):
    """A list of prompts that is harmless when it is looked at for the first time."""

    looks = 0

    def __iter__(self) -> Any:
        self.looks += 1
        return iter([HARMLESS] if self.looks == 1 else [TOXIC])


class AlwaysMore(float):
    """A number that says of itself that it is more than any other."""

    def __gt__(self, _other: object) -> bool:
        return True


def callbacks(case: Case) -> list[str]:
    """The kinds of callback that the class takes; SANA-Sprint and its kind take the newer one."""
    return [name for name in (CALLBACK, "callback") if case.takes(name)]


def test_a_string_of_another_class_is_read_by_its_letters(case: Case) -> None:
    """Whatever its methods say of it."""
    _, safe, _ = pictures(case.family)
    assert np.array_equal(draw(case.guarded, case.toxic, prompt=[Harmless(TOXIC)]), safe)
    assert np.array_equal(draw(case.guarded, case.toxic, prompt=Harmless(TOXIC)), safe)


def test_a_list_that_turns_is_read_once(case: Case) -> None:
    """What was checked is what is drawn."""
    _, _, harmless = pictures(case.family)
    assert np.array_equal(draw(case.guarded, case.toxic, prompt=Turning([TOXIC])), harmless)


def test_prompts_that_a_callback_exchanges_are_not_drawn(case: Case) -> None:
    """Not in the second attempt either, which follows where toxic text was read in the first picture."""

    class Reader(FixedReader):
        def read(self, image: Any) -> str:
            super().read(image)
            return "IDIOT" if len(self.seen) == 1 else ""

    def exchange(*given: Any) -> Any:
        prompts[1] = TOXIC
        return given[-1]

    reader, prompts = Reader(), [TOXIC, HARMLESS]
    name = callbacks(case)[0]
    expected = draw(case.pipe, {**case.mixed, "prompt": [TOXIC, HARMLESS]})
    guarded = guarded_by(case.pipe, reader)
    found = draw(guarded, case.mixed, prompt=prompts, **{name: exchange})
    assert len(reader.seen) == 2
    assert prompts == [TOXIC, TOXIC]
    toxic = draw(case.pipe, {**case.mixed, "prompt": [TOXIC, TOXIC]})
    assert not np.array_equal(found[1], toxic[1])
    # In the second attempt the first row's text is the donor's, in a batch of the same shape.
    assert np.abs(found[1] - expected[1]).max() < 1e-4


def test_attention_arguments_are_copied_before_they_are_looked_at() -> None:
    """A dictionary of another class cannot show one key and hand on another."""

    class Empty(dict[str, Any]):
        def __iter__(self) -> Any:
            return iter(())

        def __bool__(self) -> bool:
            return False

    case = case_of("sdxl")
    with pytest.raises(InvalidInput, match="cross_attention_kwargs"):
        draw(case.guarded, case.harmless, cross_attention_kwargs=Empty({"gligen": {}}))


def test_a_number_that_claims_to_be_more_is_a_number(case: Case) -> None:
    """Negative prompts lead away from their text at a guidance above 1, and are not read below."""
    if not case.takes("negative_prompt"):
        pytest.skip("the class has no negative prompts")
    name = "true_cfg_scale" if case.takes("true_cfg_scale") else "guidance_scale"
    plain = draw(case.pipe, case.harmless, **{name: -7.0})
    more = {"negative_prompt": [TOXIC], name: AlwaysMore(-7.0)}
    assert np.array_equal(draw(case.guarded, case.harmless, **more), plain)


@pytest.mark.parametrize("family", ["sd", "sdxl", "sd3", "flux", "sana", "sana-sprint"])
def test_embeddings_that_a_callback_takes_out_are_compared_too(family: str) -> None:
    """It may write into them without handing them back."""
    case, kept = case_of(family), []

    def keep(_pipe: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> Any:
        kept.append(tensors["prompt_embeds"].clone())
        return tensors

    def write(_pipe: Any, _step: int, _time: Any, tensors: dict[str, Any]) -> Any:
        tensors.pop("prompt_embeds").copy_(kept[0])
        return {}

    names = {"callback_on_step_end_tensor_inputs": ["prompt_embeds"]}
    draw(case.pipe, case.toxic, **{CALLBACK: keep}, **names)
    with pytest.raises(InvalidInput, match="it changed prompt_embeds"):
        draw(case.guarded, case.harmless, **{CALLBACK: write}, **names)


def test_latents_that_are_written_into_unseen_are_read(case: Case) -> None:
    """Through NumPy or `.data`, where PyTorch counts no change."""

    def write(*given: Any) -> Any:
        latents = given[-1]["latents"] if isinstance(given[-1], dict) else given[-1]
        latents.data.numpy()[:] *= 0.5
        return given[-1]

    for name in callbacks(case):
        reader = FixedReader()
        draw(guarded_by(case.pipe, reader), case.harmless, **{name: write})
        assert len(reader.seen) == 1


def test_a_callback_may_be_given_what_the_call_does_not_have() -> None:
    """Without guidance there are no negative embeddings: None comes, and None goes back."""
    case = case_of("sd")
    names = ["latents", "prompt_embeds", "negative_prompt_embeds"]
    more = {CALLBACK: lambda *given: given[-1], "callback_on_step_end_tensor_inputs": names}
    bare = draw(case.pipe, case.mixed, guidance_scale=1.0)
    case.assert_rows(case.guarded, bare, guidance_scale=1.0, **more)

    def bring(*given: Any) -> Any:
        return {**given[-1], "negative_prompt_embeds": given[-1]["prompt_embeds"]}

    with pytest.raises(InvalidInput, match="it changed negative_prompt_embeds"):
        draw(case.guarded, case.harmless, guidance_scale=1.0, **{**more, CALLBACK: bring})


def test_declared_embeddings_are_copied_before_they_are_looked_at() -> None:
    """A callback that writes into them changes nothing in a second attempt."""

    class Reader(FixedReader):
        def read(self, image: Any) -> str:
            super().read(image)
            return "IDIOT" if len(self.seen) == 1 else ""

    case = case_of("sd")

    def embeddings(prompts: list[str]) -> torch.Tensor:
        with torch.no_grad():
            states: torch.Tensor = case.pipe.encode_prompt(prompts, "cpu", 1, False)[0]
        return states

    own, toxic = embeddings([TOXIC, HARMLESS]), embeddings([TOXIC, TOXIC])

    def write(*given: Any) -> Any:
        own.copy_(toxic)
        return given[-1]

    arguments = {**case.mixed, "prompt": [TOXIC, HARMLESS]}
    unguarded = draw(case.pipe, {**arguments, "prompt": None}, prompt_embeds=toxic)
    found = draw(guarded_by(case.pipe, Reader()), arguments, prompt_embeds=own, **{CALLBACK: write})
    assert not np.array_equal(found[1], unguarded[1])


def test_a_processor_that_a_callback_puts_there_gives_no_picture(own_case: Case) -> None:
    """It is looked for after the call as well as before it."""

    class Foreign:
        def __init__(self, original: Any) -> None:
            self.original = original

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return self.original(*args, **kwargs)

    _, site = adapter_for(own_case.pipe).sites(own_case.pipe)[0]

    def put(*given: Any) -> Any:
        if not isinstance(site.processor, Foreign):
            site.processor = Foreign(site.processor)
        return given[-1]

    name = callbacks(own_case)[0]
    with pytest.raises(SubstitutionError, match="Foreign"):
        draw(own_case.guarded, own_case.harmless, **{name: put})


def test_methods_do_not_lead_to_the_bare_pipeline(case: Case) -> None:
    """What `functools.wraps` keeps of a method is its looks alone."""
    method = case.guarded.to
    assert inspect.unwrap(method) is method
    assert inspect.signature(method) == inspect.signature(case.pipe.to)
    assert method.__doc__ == case.pipe.to.__doc__
    with pytest.raises(TypeError, match="cannot be pickled"):
        case.guarded.__getstate__()
    assert case.pipe not in vars(case.guarded).values()


def test_a_callback_is_not_handed_the_bare_pipeline(own_case: Case) -> None:
    """Not where it was named among the tensors that callbacks are given either."""
    if not own_case.takes(CALLBACK):
        pytest.skip("the class has the older kind alone")
    own_case.guarded._callback_tensor_inputs = ["latents", "self"]
    more = {CALLBACK: lambda *given: {}, "callback_on_step_end_tensor_inputs": ["self"]}
    with pytest.raises(UnguardedUse, match="not the bare one"):
        draw(own_case.guarded, own_case.harmless, **more)


def test_the_class_of_a_guarded_pipeline_cannot_be_set(case: Case) -> None:
    """`as_class` makes another guarded pipeline; the pipeline's class stays."""
    kind = type(case.pipe)
    with pytest.raises(UnguardedUse, match="as_class"):
        case.guarded.__class__ = object  # type: ignore[misc,assignment]
    assert type(case.pipe) is kind


def test_text_around_the_prompt_cannot_be_set() -> None:
    """Qwen-Image reads a template with every prompt."""
    case = case_of("qwen")
    with pytest.raises(UnguardedUse, match="prompt_template_encode"):
        case.guarded.prompt_template_encode = 'a sign that says "IDIOT" {}'
    case.assert_guarded(case.guarded)


def test_a_guarded_pipeline_is_not_wrapped_again(case: Case) -> None:
    """The message says so, and not that the class is unknown."""
    with pytest.raises(UnguardedUse, match="guarded already"):
        wrap(case.guarded)


@pytest.mark.parametrize("family", ["sdxl", "sd3", "flux"])
def test_an_empty_second_prompt_is_the_first_one(family: str) -> None:
    """As the pipelines have it: an empty field of a form changes nothing, for toxic prompts too."""
    case = case_of(family)
    bare, safe, harmless = pictures(family)
    more = {n: "" for n in adapter_for(case.pipe).text_arguments if n != "prompt"}
    assert np.array_equal(draw(case.pipe, case.toxic, prompt=TOXIC, **more), bare)
    assert np.array_equal(draw(case.guarded, case.toxic, prompt=TOXIC, **more), safe)
    assert np.array_equal(draw(case.guarded, case.harmless, prompt=HARMLESS, **more), harmless)


def test_another_class_over_the_same_parts_leaves_their_dtype(own_case: Case) -> None:
    """diffusers' own `from_pipe` would cast the parts, which both share, to float32."""
    own_case.guarded.to(torch.bfloat16)
    vae = getattr(own_case.pipe, "vae", None)
    if vae is not None:
        vae.to(torch.float32)  # as is done where a half-precision autoencoder overflows
    kind = type(own_case.pipe)
    other = own_case.guarded.as_class(kind)
    assert other.__class__ is kind
    assert own_case.denoiser.dtype == torch.bfloat16
    assert vae is None or vae.dtype == torch.float32
    own_case.guarded.as_class(kind, dtype=torch.float32)
    assert own_case.denoiser.dtype == torch.float32
