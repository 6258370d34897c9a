"""What is particular to FLUX: two kinds of blocks, and ControlNets. tests/families/test_conformance.py has the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import FluxTransformer2DModel
from diffusers.models.transformers.transformer_flux import (
    FluxAttnProcessor,
    FluxIPAdapterAttnProcessor,
)

from inkguard.errors import SubstitutionError
from inkguard.families.flux.edit import FluxShadow
from tests.edit.flux import DOUBLE, SIDE, SITES, WIDTH, make, shared
from tests.edit.parity import TOLERANCE, relative, snapshot


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


class _Foreign(FluxAttnProcessor):
    """Stands for a processor of an extension."""


def _foreign(model: FluxTransformer2DModel) -> None:
    model.transformer_blocks[0].attn.set_processor(_Foreign())


def _ip_adapter(model: FluxTransformer2DModel) -> None:
    attn = model.transformer_blocks[0].attn
    attn.set_processor(FluxIPAdapterAttnProcessor(32, WIDTH))


REFUSALS: dict[str, tuple[Callable[[Any], object], str]] = {
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
