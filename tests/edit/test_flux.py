"""The five properties of substitution (DESIGN section 2) on a stock FluxTransformer2DModel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import accelerate
import pytest
import torch
from diffusers import FirstBlockCacheConfig, FluxTransformer2DModel
from diffusers.models.transformers.transformer_flux import (
    FluxAttnProcessor,
    FluxIPAdapterAttnProcessor,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from inkguard.edit.rows import FlaggedPrompt
from inkguard.errors import SubstitutionError
from inkguard.families.flux.edit import FluxShadow, flux_sites
from tests.edit.flux import DOUBLE, SIDE, SITES, WIDTH, make, shared
from tests.edit.parity import TOLERANCE, relative, snapshot

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)


def test_sites_are_in_the_order_in_which_the_model_runs_them() -> None:
    """Double-stream blocks first, then single-stream ones, as hooks on the sites see them."""
    batch, fired = shared(), []
    sites = flux_sites(batch.model)
    hooks = [attn.register_forward_hook(lambda *_, n=name: fired.append(n)) for name, attn in sites]
    batch.run()
    for hook in hooks:
        hook.remove()
    assert fired == [name for name, _ in sites]
    assert fired[DOUBLE - 1 : DOUBLE + 1] == [
        "transformer_blocks.1.attn",
        "single_transformer_blocks.0.attn",
    ]


@DTYPES
@pytest.mark.parametrize("distilled", [False, True], ids=["plain", "guidance-distilled"])
@settings(max_examples=6, deadline=None)
@given(sites=st.sets(st.integers(0, SITES - 1), min_size=1))
def test_the_prompts_own_text_as_shadow_changes_nothing(
    distilled: bool, dtype: torch.dtype, sites: set[int]
) -> None:
    """Property 1: reading one's own text through the shadow is the unguarded output."""
    batch = shared(dtype, distilled)
    with FluxShadow(batch.model, sorted(sites), batch.flagged(batch.text[2:])):
        edited = batch.run()
    assert relative(edited, batch.run()) < TOLERANCE[dtype]


@DTYPES
@settings(max_examples=6, deadline=None)
@given(sites=st.sets(st.integers(0, SITES - 1), min_size=1))
def test_rows_that_are_not_flagged_are_bit_identical(dtype: torch.dtype, sites: set[int]) -> None:
    """Property 2: unflagged rows equal those of an unguarded run of the same batch; flagged ones move."""
    batch = shared(dtype)
    plain = batch.run()
    with FluxShadow(batch.model, sorted(sites), batch.flagged()):
        edited = batch.run()
    assert torch.equal(edited[:2], plain[:2])
    assert not torch.equal(edited[2:], plain[2:])


@DTYPES
@pytest.mark.parametrize("distilled", [False, True], ids=["plain", "guidance-distilled"])
def test_all_layers_as_sites_equal_the_donor_prompt(distilled: bool, dtype: torch.dtype) -> None:
    """Property 3: with every block a site the picture is the donor prompt's, pooled text held fixed."""
    batch = shared(dtype, distilled)
    with FluxShadow(batch.model, range(SITES), batch.flagged()):
        edited = batch.run()
    expected = batch.run(batch.donor_text())
    assert relative(edited, expected) < TOLERANCE[dtype]
    assert relative(batch.run(), expected) > 2 * TOLERANCE[dtype]


def test_swapped_pooled_text_and_all_layers_equal_the_donor_prompt() -> None:
    """With the donor's pooled text as well, flagged rows are those of a plain run of the donor."""
    batch, pooled = shared(), torch.randn(2, 16)
    swapped = [
        FlaggedPrompt(f.embeds, f.donor, p) for f, p in zip(batch.flagged(), pooled, strict=True)
    ]
    with FluxShadow(batch.model, range(SITES), swapped):
        edited = batch.run()
    everything = torch.cat([batch.pooled[:2], pooled])
    expected = batch.run(batch.donor_text(), pooled_projections=everything)
    assert relative(edited, expected) < TOLERANCE[torch.float32]
    assert relative(edited, batch.run(batch.donor_text())) > 1e-3


@pytest.mark.parametrize("site", [0, DOUBLE - 1, DOUBLE, SITES - 1])
def test_a_site_reads_what_the_donor_became_while_the_picture_was_the_prompts(site: int) -> None:
    """Against the shadow's definition, by hand: donor text goes beside the prompt's own picture.

    Before the site, the donor's run is patched at every block to have the prompt's picture; what its
    text becomes there is what the site must read.
    """
    batch = shared()
    blocks = [*batch.model.transformer_blocks, *batch.model.single_transformer_blocks]
    pictures: list[torch.Tensor] = []
    hooks = [b.register_forward_hook(lambda *s: pictures.append(s[2][1])) for b in blocks]
    batch.run()
    for hook in hooks:
        hook.remove()
    texts: list[torch.Tensor] = []

    def keep_picture(n: int) -> Callable[..., Any]:
        def hook(_module: Any, _args: Any, output: Any) -> Any:
            texts.append(output[0])
            return output[0], pictures[n]

        return hook

    hooks = [b.register_forward_hook(keep_picture(n)) for n, b in enumerate(blocks)]
    batch.run(batch.donor_text())
    for hook in hooks:
        hook.remove()
    embedded = batch.model.context_embedder(batch.donor_text()).detach()
    donor = ([embedded, *texts])[site]

    def read_donor(_module: Any, args: Any, kwargs: Any) -> Any:
        return args, {**kwargs, "encoder_hidden_states": donor}

    def keep_text(_module: Any, _args: Any, output: Any) -> Any:
        return own_text[0], output[1]

    own_text: list[torch.Tensor] = []
    hook = blocks[site].register_forward_hook(lambda *s: own_text.append(s[2][0]))
    batch.run()
    hook.remove()
    before = blocks[site].register_forward_pre_hook(read_donor, with_kwargs=True)
    after = blocks[site].register_forward_hook(keep_text)
    expected = batch.run()
    before.remove()
    after.remove()
    with FluxShadow(batch.model, [site], batch.flagged()):
        edited = batch.run()
    assert relative(edited, expected) < TOLERANCE[torch.float32]


def test_leaving_restores_the_model() -> None:
    """Property 4: nothing is left behind and outputs are the same, also after an exception."""
    batch = make()
    before, plain = snapshot(batch.model), batch.run()
    with FluxShadow(batch.model, [1, 3], batch.flagged()):
        assert snapshot(batch.model) != before
        batch.run()
    assert snapshot(batch.model) == before

    def explode(*_: object) -> None:
        raise ZeroDivisionError

    handle = batch.model.single_transformer_blocks[1].norm.register_forward_pre_hook(explode)
    with pytest.raises(ZeroDivisionError), FluxShadow(batch.model, [4], batch.flagged()):
        batch.run()
    handle.remove()
    assert snapshot(batch.model) == before
    assert torch.equal(batch.run(), plain)


@pytest.mark.parametrize("bypassed", [1, 3])
def test_a_block_that_is_bypassed_raises(bypassed: int) -> None:
    """Property 5: a processor replaced behind the guard's back is an error, at a site and before one."""
    batch = make()
    attn = flux_sites(batch.model)[bypassed][1]
    with FluxShadow(batch.model, [3], batch.flagged()):
        attn.processor = attn.processor._original
        with pytest.raises(SubstitutionError, match=r"fired once|passed through"):
            batch.run()


def test_separate_calls_for_true_guidance_are_told_apart() -> None:
    """The negative prompt's call of equal shape is untouched, be it the second or the first."""
    batch = shared()
    negative = torch.randn_like(batch.text)
    plain, moved = batch.run(negative), batch.run()
    for time, order in ((0.9, (None, negative)), (0.8, (negative, None))):
        with FluxShadow(batch.model, [2], batch.flagged()):
            outputs = [batch.run(text) for text in order]
            later = batch.run(time=time)
        unconditional = outputs[0] if order[0] is negative else outputs[1]
        assert torch.equal(unconditional, plain)
        assert not torch.equal(later[2:], moved[2:])


def test_a_step_without_a_flagged_row_raises() -> None:
    """Silence would be an unguarded picture."""
    batch = shared()
    with (
        pytest.raises(SubstitutionError, match="no row"),
        FluxShadow(batch.model, [0], batch.flagged()),
    ):
        batch.run(torch.randn_like(batch.text))


def test_steps_before_the_start_are_unedited() -> None:
    """`start_step=1` leaves the first value of the timestep alone and edits the second."""
    batch = shared()
    plain = batch.run(time=0.9), batch.run(time=0.8)
    with FluxShadow(batch.model, [2], batch.flagged(), start_step=1):
        assert torch.equal(batch.run(time=0.9), plain[0])
        assert not torch.equal(batch.run(time=0.8), plain[1])


def test_controlnet_residuals_keep_working() -> None:
    """They are added to the picture between blocks: properties 2 and 3 hold with them."""
    batch = shared()
    residuals = {
        "controlnet_block_samples": [torch.randn(4, SIDE * SIDE, 32)],
        "controlnet_single_block_samples": [torch.randn(4, SIDE * SIDE, 32) for _ in range(2)],
    }
    with FluxShadow(batch.model, range(SITES), batch.flagged()):
        edited = batch.run(**residuals)
    assert relative(edited, batch.run(batch.donor_text(), **residuals)) < TOLERANCE[torch.float32]
    assert torch.equal(edited[:2], batch.run(**residuals)[:2])
    assert not torch.equal(edited[:2], batch.run()[:2])


def test_a_lora_acts_on_the_shadow_too() -> None:
    """With peft's layers on attention and feed-forward, all sites still equal the donor prompt."""
    peft = pytest.importorskip("peft")
    batch = make()
    batch.model.add_adapter(
        peft.LoraConfig(
            r=2, target_modules=["add_k_proj", "to_k", "proj_mlp"], init_lora_weights=False
        )
    )
    with FluxShadow(batch.model, range(SITES), batch.flagged()):
        edited = batch.run()
    assert relative(edited, batch.run(batch.donor_text())) < TOLERANCE[torch.float32]


def test_weights_that_are_in_place_only_while_their_module_runs() -> None:
    """Sequential offloading: the shadow asks for no weights outside of the modules that hold them."""
    batch = make()
    with FluxShadow(batch.model, [4], batch.flagged()):
        expected = batch.run()
    accelerate.cpu_offload(batch.model, torch.device("cpu"))
    assert batch.model.transformer_blocks[0].attn.add_k_proj.weight.is_meta
    with FluxShadow(batch.model, [4], batch.flagged()):
        assert torch.equal(batch.run(), expected)


class _Foreign(FluxAttnProcessor):
    """Stands for a processor of an extension."""


def _foreign(model: FluxTransformer2DModel) -> None:
    model.transformer_blocks[0].attn.set_processor(_Foreign())


def _ip_adapter(model: FluxTransformer2DModel) -> None:
    attn = model.transformer_blocks[0].attn
    attn.set_processor(FluxIPAdapterAttnProcessor(32, WIDTH))


REFUSALS: dict[str, tuple[Callable[[Any], object], str]] = {
    "fused": (lambda m: m.fuse_qkv_projections(), "fused QKV"),
    "cache": (lambda m: m.enable_cache(FirstBlockCacheConfig()), "may skip sites"),
    "foreign-processor": (_foreign, "_Foreign, not FluxAttnProcessor"),
    "ip-adapter": (_ip_adapter, "FluxIPAdapterAttnProcessor.*IP-Adapters are not supported"),
}


@pytest.mark.parametrize("case", list(REFUSALS))
def test_what_could_skip_a_site_is_refused(case: str) -> None:
    """On entry, with the reason, and with nothing left behind."""
    batch = make()
    change, message = REFUSALS[case]
    change(batch.model)
    before = snapshot(batch.model)
    with (
        pytest.raises(SubstitutionError, match=message),
        FluxShadow(batch.model, [3], batch.flagged()),
    ):
        raise AssertionError
    assert snapshot(batch.model) == before


def test_sites_that_do_not_exist_and_other_models_are_refused() -> None:
    """With what there is."""
    batch = shared()
    with (
        pytest.raises(SubstitutionError, match=r"sites \[5\] do not exist.*0 to 4"),
        FluxShadow(batch.model, [5], batch.flagged()),
    ):
        raise AssertionError
    with (
        pytest.raises(SubstitutionError, match="plain FluxTransformer2DModel"),
        FluxShadow(torch.nn.Linear(1, 1), [0], batch.flagged()),
    ):
        raise AssertionError
