"""The registry of pipeline classes agrees with the installed diffusers, and docs/reference/families.md with it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import diffusers
import pytest
from diffusers.pipelines import auto_pipeline

from inkguard.errors import UnsupportedModel
from inkguard.families.registry import adapter_for
from inkguard.families.supported import FAMILIES
from tools.families_page import page

_PROMPTS = {"prompt", "content_prompt", "task_prompt"}
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
    assert taking - set(FAMILIES) == set()
    assert set(FAMILIES) - set(dir(diffusers)) == set()
    assert set(FAMILIES) & set(kinds) <= taking
    assert len(taking) > 200


def test_every_text_to_image_class_of_auto_pipeline_is_known() -> None:
    """Those that `AutoPipelineForText2Image` would make, also where diffusers does not export them."""
    mappings = [v for k, v in vars(auto_pipeline).items() if k.startswith("AUTO_TEXT2IMAGE")]
    names = {kind.__name__ for mapping in mappings for kind in mapping.values()}
    assert names - set(FAMILIES) == set()
    assert "StableDiffusionPipeline" in names


def test_denoisers_are_those_of_the_constructors() -> None:
    """The class that a pipeline's `transformer`, `unet` or `decoder` is declared to be."""
    checked = 0
    for name, kind in _exported().items():
        denoiser = FAMILIES[name].denoiser if name in FAMILIES else ""
        parameters = inspect.signature(kind.__init__).parameters
        found = [p for k in ("transformer", "unet", "decoder") if (p := parameters.get(k))]
        if denoiser and found:
            assert denoiser in str(found[0].annotation), name
            checked += 1
    assert checked > 150


@pytest.mark.parametrize("name", [n for n, f in FAMILIES.items() if f.adapter is None])
def test_refusals_say_why(name: str) -> None:
    """By the class's name, in one sentence of its own."""
    kind = _exported().get(name)
    if kind is None:
        pytest.skip("its libraries are not installed")
    with pytest.raises(UnsupportedModel) as refused:
        adapter_for(_bare(kind))
    assert str(refused.value).startswith(f"{name} is not supported: {FAMILIES[name].reason}. ")
    assert len(FAMILIES[name].reason) > 10


def test_supported_classes_have_an_adapter() -> None:
    """And nothing that brings in text or embeddings of it is an argument that the adapter does not know."""
    known = {
        "negative_prompt_embeds",
        "negative_pooled_prompt_embeds",
        "negative_prompt_embeds_mask",
    }
    known |= {"negative_prompt_attention_mask", "negative_prompt", "negative_prompt_2"}
    known |= {"negative_prompt_3"}
    for name, family in FAMILIES.items():
        if family.adapter is None:
            continue
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
