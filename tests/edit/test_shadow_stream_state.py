"""Substitution on SD3 leaves the model as it was, and refuses what could skip a site (DESIGN section 2, properties 4 and 5)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from diffusers import SD3Transformer2DModel
from diffusers.models.attention_processor import (
    JointAttnProcessor2_0,
    SD3IPAdapterJointAttnProcessor2_0,
)

from inkguard.errors import SubstitutionError
from inkguard.families.sd3.edit import ShadowText
from tests.edit.parity import snapshot
from tests.edit.sd3 import WIDTH, make


def test_leaving_restores_the_model() -> None:
    """Property 4: after the `with` no hook, processor or attribute is left and outputs are the same."""
    batch = make()
    before, plain = snapshot(batch.model), batch.run()
    with ShadowText(batch.model, [1, 3], batch.flagged()):
        assert snapshot(batch.model) != before
        batch.run()
    assert snapshot(batch.model) == before
    assert torch.equal(batch.run(), plain)


def test_leaving_by_an_exception_restores_the_model() -> None:
    """Property 4: also when the block or the denoiser itself raises."""
    batch = make()
    before = snapshot(batch.model)

    def explode(*_: object) -> None:
        raise RuntimeError("boom")

    handle = batch.model.transformer_blocks[2].ff.register_forward_pre_hook(explode)
    with pytest.raises(RuntimeError, match="boom"), ShadowText(batch.model, [3], batch.flagged()):
        batch.run()
    handle.remove()
    assert snapshot(batch.model) == before


def test_a_failing_entry_leaves_no_hook() -> None:
    """Property 4: entering is all or none; a bad last block undoes the first ones."""
    batch = make()
    batch.model.transformer_blocks[3].attn.fused_projections = True
    before = snapshot(batch.model)
    with (
        pytest.raises(SubstitutionError, match=r"transformer_blocks\.3\.attn has fused"),
        ShadowText(batch.model, [3], batch.flagged()),
    ):
        pass
    assert snapshot(batch.model) == before


def test_a_site_that_is_bypassed_raises() -> None:
    """Property 5: a processor replaced behind the guard's back means an error, not silence."""
    batch = make()
    with ShadowText(batch.model, [2], batch.flagged()):
        attn = batch.model.transformer_blocks[2].attn
        attn.processor = attn.processor._original
        with pytest.raises(SubstitutionError, match="should each have fired once"):
            batch.run()


def test_a_block_before_the_site_that_is_bypassed_raises() -> None:
    """Property 5: nor may the donor's text miss a block on its way to the site."""
    batch = make()
    with ShadowText(batch.model, [2], batch.flagged()):
        attn = batch.model.transformer_blocks[0].attn
        attn.processor = attn.processor._original
        with pytest.raises(SubstitutionError, match=r"blocks \[0, 1, 2\].*through \[1, 2\]"):
            batch.run()


def refusals() -> dict[str, tuple[Callable[[SD3Transformer2DModel], object], str]]:
    return {
        "fused": (lambda m: m.fuse_qkv_projections(), "fused|FusedJoint"),
        "cache": (enable_cache, "may skip sites"),
        "ip-adapter": (set_ip_adapter, "SD3IPAdapter.*IP-Adapters are not supported"),
        "foreign-processor": (set_foreign, "_Foreign, not JointAttnProcessor2_0"),
    }


class _Foreign(JointAttnProcessor2_0):
    """Stands for a processor of an extension."""


def set_foreign(model: SD3Transformer2DModel) -> None:
    model.transformer_blocks[0].attn.set_processor(_Foreign())


def set_ip_adapter(model: SD3Transformer2DModel) -> None:
    attn = model.transformer_blocks[0].attn
    attn.set_processor(SD3IPAdapterJointAttnProcessor2_0(64, WIDTH, 16))


def enable_cache(model: SD3Transformer2DModel) -> None:
    from diffusers.hooks import LayerSkipConfig, apply_layer_skip

    apply_layer_skip(
        model, LayerSkipConfig(indices=[1], fqn="transformer_blocks", skip_attention=False)
    )


@pytest.mark.parametrize("case", list(refusals()))
def test_what_could_skip_a_site_is_refused(case: str) -> None:
    """Fused projections, foreign processors and diffusers hooks raise on entry, with the reason."""
    batch = make()
    change, message = refusals()[case]
    change(batch.model)
    with (
        pytest.raises(SubstitutionError, match=message),
        ShadowText(batch.model, [2], batch.flagged()),
    ):
        pass


def test_sites_that_do_not_exist_are_refused() -> None:
    """A site beyond the last block is named."""
    batch = make()
    with (
        pytest.raises(SubstitutionError, match=r"sites \[7\] do not exist"),
        ShadowText(batch.model, [7], batch.flagged()),
    ):
        pass
