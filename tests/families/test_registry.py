"""The built-in families and the refusals agree with the installed diffusers, and docs/reference/families.md with them."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import diffusers
import pytest
from diffusers.pipelines import auto_pipeline

from inkguard.errors import UnsupportedModel
from inkguard.families import BUILT_IN, Family, adapter_for, families, register_family
from inkguard.families.sd.adapter import SdAdapter
from inkguard.families.unsupported import UNSUPPORTED
from tools.families_page import page

_PROMPTS = {"prompt", "content_prompt", "task_prompt"}
_DENOISERS = {
    **{str(name): f.denoiser.__name__ for f in BUILT_IN for name in f.pipelines},
    **{name: kind.denoiser for name, kind in UNSUPPORTED.items()},
}
"""Of every class that is known."""
_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "families.md"


def _exported() -> dict[str, type]:
    """The classes that are there; diffusers has stand-ins for those whose libraries are not installed."""
    found = {n: getattr(diffusers, n) for n in dir(diffusers) if n.endswith("Pipeline")}
    return {n: kind for n, kind in found.items() if not hasattr(kind, "_backends")}


def _bare(kind: type) -> Any:
    """An object of a class, without what its constructor wants."""
    return object.__new__(kind)


def _takes_prompt(kind: Any) -> bool:
    return bool(_PROMPTS & set(inspect.signature(kind.__call__).parameters))


def test_every_class_that_takes_a_prompt_is_known() -> None:
    """None that diffusers exports is missing, and none that is listed has gone or takes no prompt."""
    kinds = _exported()
    taking = {name for name, kind in kinds.items() if _takes_prompt(kind)}
    assert taking - set(_DENOISERS) == set()
    assert set(_DENOISERS) - set(dir(diffusers)) == set()
    assert set(_DENOISERS) & set(kinds) <= taking
    assert len(taking) > 200


def test_every_text_to_image_class_of_auto_pipeline_is_known() -> None:
    """Those that `AutoPipelineForText2Image` would make, also where diffusers does not export them."""
    mappings = [v for k, v in vars(auto_pipeline).items() if k.startswith("AUTO_TEXT2IMAGE")]
    names = {kind.__name__ for mapping in mappings for kind in mapping.values()}
    assert names - set(_DENOISERS) == set()
    assert "StableDiffusionPipeline" in names


def test_denoisers_are_those_of_the_constructors() -> None:
    """The class that a pipeline's `transformer`, `unet` or `decoder` is declared to be."""
    checked = 0
    for name, kind in _exported().items():
        denoiser = _DENOISERS.get(name)
        parameters = inspect.signature(kind.__init__).parameters
        found = [p for k in ("transformer", "unet", "decoder") if (p := parameters.get(k))]
        if denoiser and found:
            assert denoiser in str(found[0].annotation), name
            checked += 1
    assert checked > 150


@pytest.mark.parametrize("name", [*UNSUPPORTED])
def test_refusals_say_why(name: str) -> None:
    """By the class's name, in one sentence of its own."""
    kind = _exported().get(name)
    if kind is None:
        pytest.skip("its libraries are not installed")
    with pytest.raises(UnsupportedModel) as refused:
        adapter_for(_bare(kind))
    assert str(refused.value).startswith(f"{name} is not supported: {UNSUPPORTED[name].reason}. ")
    assert len(UNSUPPORTED[name].reason) > 10


def test_supported_classes_have_an_adapter() -> None:
    """And nothing that brings in text or embeddings of it is an argument that the adapter does not know."""
    known = {
        "negative_prompt_embeds",
        "negative_pooled_prompt_embeds",
        "negative_prompt_embeds_mask",
    }
    known |= {"negative_prompt_attention_mask", "negative_prompt", "negative_prompt_2"}
    known |= {"negative_prompt_3"}
    for name in (str(name) for family in BUILT_IN for name in family.pipelines):
        kind = getattr(diffusers, name)
        adapter = adapter_for(_bare(kind))
        parameters = inspect.signature(kind.__call__).parameters
        textual = {p for p in parameters if "prompt" in p and not p.startswith("num_")}
        named = {*adapter.text_arguments, *adapter.embedding_arguments, *known}
        assert textual <= named, name


class _Own(diffusers.StableDiffusionPipeline):
    """A class of somebody's own."""


def test_classes_that_nobody_knows_are_refused() -> None:
    """Subclasses, modular pipelines, and classes without a prompt: what their text is cannot be known."""
    own = type("StableDiffusionPipeline", (_Own,), {})
    for kind, why in (
        (_Own, "not one of diffusers' own classes"),
        (own, "not one of diffusers' own classes"),
        (diffusers.ModularPipeline, "arguments are those of its blocks"),
        (diffusers.DDPMPipeline, "takes no prompt"),
    ):
        with pytest.raises(UnsupportedModel, match=why):
            adapter_for(_bare(kind))


def test_the_page_is_what_the_registry_says() -> None:
    """Otherwise: make pages."""
    assert _PAGE.read_text() == page()


class _Poster(diffusers.StableDiffusionPipeline):
    """A class of somebody's own, with the arguments that the guard looks up."""

    def __call__(  # type: ignore[override]
        self, prompt: Any, num_inference_steps: int = 50, guidance_scale: float = 7.5
    ) -> Any:
        raise NotImplementedError


class _SecondText(_Poster):
    def __call__(  # type: ignore[override]
        self, prompt: Any, prompt_2: Any, num_inference_steps: int = 50, guidance_scale: float = 7.5
    ) -> Any:
        raise NotImplementedError


class _Hidden(_Poster):
    def __call__(self, prompt: Any, **more: Any) -> Any:
        raise NotImplementedError


class _TextAsSetting(SdAdapter):
    settings = frozenset({"content_prompt"})


class _OtherText(SdAdapter):
    text_arguments = ("caption",)


class _OtherEmbeddings(SdAdapter):
    embedding_arguments = ("image",)


def _family(**more: Any) -> Family:
    given: dict[str, Any] = {
        "name": "poster",
        "pipelines": (_Poster,),
        "denoiser": diffusers.UNet2DConditionModel,
        "adapter": SdAdapter(),
        "config": (),
    }
    return Family(**{**given, **more})


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"pipelines": ("StableDiffusionPipeline",)}, "registered already"),
        ({"pipelines": (diffusers.StableDiffusionPipeline,)}, "registered already"),
        ({"pipelines": ("",)}, "a pipeline needs a name"),
        ({"pipelines": (_Poster, _SecondText)}, "prompt_2'.*nobody would check"),
        ({"pipelines": (_Hidden,)}, "does not name .*guidance_scale.*num_inference_steps"),
        ({"denoiser": diffusers.SD3Transformer2DModel}, "CrossText does not edit a SD3"),
        ({"adapter": _TextAsSetting()}, "content_prompt.* sound like text"),
        ({"adapter": _OtherText()}, "text_arguments must be"),
        ({"adapter": _OtherEmbeddings()}, "embedding_arguments must be"),
    ],
)
def test_a_family_that_could_leave_text_unchecked_is_not_registered(
    more: dict[str, Any], message: str
) -> None:
    """With the reason, and with nothing of it in the register."""
    before = families()
    with pytest.raises(ValueError, match=message):
        register_family(_family(**more))
    assert families() == before
    with pytest.raises(UnsupportedModel):
        adapter_for(_bare(_Poster))
