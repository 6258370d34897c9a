"""What is particular to Qwen-Image: texts of all lengths, under masks. tests/families/test_conformance.py has the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from diffusers.models.transformers.transformer_qwenimage import QwenDoubleStreamAttnProcessor2_0

from inkguard.edit.rows import FlaggedPrompt
from inkguard.errors import SubstitutionError
from inkguard.families.qwen_image.edit import QwenShadow, pad_text
from tests.edit.parity import TOLERANCE, relative, snapshot

BLOCKS, TOKENS, WIDTH, SIDE = 4, 6, 24, 4
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)


@dataclass
class Batch:
    """Inputs of one denoiser call with a batch of 4; rows 2 and 3 are flagged.

    `donors` (2, any length, width) come with their lengths; the rest is padding.
    """

    model: QwenImageTransformer2DModel
    picture: torch.Tensor
    text: torch.Tensor
    donors: torch.Tensor
    lengths: tuple[int, int]
    options: dict[str, Any] = field(default_factory=dict)

    def run(
        self,
        text: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        time: float = 0.5,
        **options: Any,
    ) -> torch.Tensor:
        given = {
            "hidden_states": self.picture,
            "timestep": torch.full((4,), time),
            "encoder_hidden_states": self.text if text is None else text,
            "encoder_hidden_states_mask": mask,
            "img_shapes": [[(1, SIDE, SIDE)]] * 4,
            "return_dict": False,
        }
        with torch.no_grad():
            return self.model(**{**given, **self.options, **options})[0]

    def flagged(self, own: bool = False) -> list[FlaggedPrompt]:
        """With the donors, or with the prompts' own text as donor."""
        donors, lengths = (self.text[2:], (TOKENS, TOKENS)) if own else (self.donors, self.lengths)
        tokens = max(TOKENS, donors.shape[1])
        texts, donors = pad_text(self.text, tokens), pad_text(donors, tokens)
        return [
            FlaggedPrompt(texts[2 + n], donors[n], donor_mask=visible(tokens, lengths[n]))
            for n in range(2)
        ]

    def run_donors(self, **options: Any) -> torch.Tensor:
        """The same batch with the donors as prompts, padded and masked as the pipeline does it."""
        tokens = max(TOKENS, self.donors.shape[1])
        text = torch.cat([pad_text(self.text[:2], tokens), pad_text(self.donors, tokens)])
        lengths = (TOKENS, TOKENS, *self.lengths)
        return self.run(text, torch.stack([visible(tokens, n) for n in lengths]), **options)


def visible(tokens: int, length: int) -> torch.Tensor:
    return (torch.arange(tokens) < length).long()


def make(
    dtype: torch.dtype = torch.float32, lengths: tuple[int, int] = (TOKENS, TOKENS), **config: Any
) -> Batch:
    torch.manual_seed(0)
    model = QwenImageTransformer2DModel(
        in_channels=8,
        out_channels=2,
        num_layers=BLOCKS,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        axes_dims_rope=(4, 4, 8),
        **config,
    ).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.15)
    picture, text = torch.randn(4, SIDE * SIDE, 8), torch.randn(4, TOKENS, WIDTH)
    donors = torch.randn(2, max(lengths), WIDTH)
    donors = donors * torch.stack([visible(max(lengths), n) for n in lengths])[..., None]
    tensors = (x.to(dtype) for x in (picture, text, donors))
    return Batch(model.to(dtype), *tensors, lengths)


shared = cache(make)
"""For tests that leave the model as it was, which property 4 says of all that only edit it."""

LENGTHS = pytest.mark.parametrize(
    "lengths", [(6, 6), (3, 4), (6, 9), (2, 11)], ids=["equal", "shorter", "longer", "both"]
)


def test_own_padded_text_as_shadow_changes_nothing() -> None:
    """Property 1, where the prompts are shorter than their batch and the denoiser gets a mask."""
    batch = shared()
    mask = torch.stack([visible(TOKENS, n) for n in (6, 4, 3, 5)])
    text = batch.text * mask[..., None]
    flagged = [FlaggedPrompt(text[n], text[n], donor_mask=mask[n]) for n in (2, 3)]
    with QwenShadow(batch.model, [0, 2], flagged):
        edited = batch.run(text, mask)
    assert relative(edited, batch.run(text, mask)) < TOLERANCE[torch.float32]


def test_unflagged_rows_are_bit_identical_under_a_mask() -> None:
    """Property 2, where prompts of several lengths share the batch."""
    batch = shared(lengths=(2, 9))
    mask = torch.stack([visible(TOKENS, n) for n in (6, 4, 3, 5)])
    text = batch.text * mask[..., None]
    flagged = [
        FlaggedPrompt(pad_text(text, 9)[2 + n], f.donor, donor_mask=f.donor_mask)
        for n, f in enumerate(batch.flagged())
    ]
    with QwenShadow(batch.model, [1, 3], flagged):
        edited = batch.run(text, mask)
    plain = batch.run(text, mask)
    assert torch.equal(edited[:2], plain[:2])
    assert not torch.equal(edited[2:], plain[2:])


@DTYPES
@LENGTHS
def test_all_layers_as_sites_equal_the_donor_prompt(
    lengths: tuple[int, int], dtype: torch.dtype
) -> None:
    """Property 3, with donors that are shorter and longer than the batch's text."""
    batch = shared(dtype, lengths)
    with QwenShadow(batch.model, range(BLOCKS), batch.flagged()):
        edited = batch.run()
    expected = batch.run_donors()
    assert relative(edited, expected) < TOLERANCE[dtype]
    assert relative(batch.run(), expected) > 2 * TOLERANCE[dtype]


def test_all_layers_equal_the_donor_prompt_where_condition_pictures_stand_at_time_zero() -> None:
    """Property 3 with `zero_cond_t`, under which the embedding of time has two rows a picture."""
    batch = make(lengths=(4, 8), zero_cond_t=True)
    batch.options["img_shapes"] = [[(1, SIDE, SIDE // 2), (1, SIDE, SIDE // 2)]] * 4
    with QwenShadow(batch.model, range(BLOCKS), batch.flagged()):
        edited = batch.run()
    assert relative(edited, batch.run_donors()) < TOLERANCE[torch.float32]
    assert torch.equal(edited[:2], batch.run()[:2])


def test_separate_calls_for_guidance_are_told_apart() -> None:
    """The negative prompt's call, of another length or of an equal one, is untouched."""
    batch = shared(lengths=(3, 8))
    for tokens in (2, TOKENS, 12):
        negative = torch.randn(4, tokens, WIDTH)
        plain = batch.run(negative)
        with QwenShadow(batch.model, [2], batch.flagged()):
            assert torch.equal(batch.run(negative), plain)
            batch.run()


def test_a_negative_prompt_like_a_flagged_one_is_refused_whatever_its_padding() -> None:
    """Rows of both could not be told apart."""
    batch = shared(lengths=(3, 8))
    with pytest.raises(SubstitutionError, match="negative prompt"):
        QwenShadow(batch.model, [2], batch.flagged(), unconditional=pad_text(batch.text[2:3], 8))


def test_controlnet_residuals_keep_working() -> None:
    """They are added to the picture between blocks: properties 2 and 3 hold with them."""
    batch = shared()
    residuals = {"controlnet_block_samples": [torch.randn(4, SIDE * SIDE, 32)]}
    with QwenShadow(batch.model, range(BLOCKS), batch.flagged()):
        edited = batch.run(**residuals)
    assert relative(edited, batch.run_donors(**residuals)) < TOLERANCE[torch.float32]
    assert torch.equal(edited[:2], batch.run(**residuals)[:2])


class _Foreign(QwenDoubleStreamAttnProcessor2_0):
    """Stands for a processor of an extension."""


def _foreign(model: QwenImageTransformer2DModel) -> None:
    model.transformer_blocks[0].attn.set_processor(_Foreign())


REFUSALS: dict[str, tuple[Callable[[Any], object], str]] = {
    "foreign-processor": (_foreign, "_Foreign, not QwenDouble"),
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
        QwenShadow(batch.model, [3], batch.flagged()),
    ):
        raise AssertionError
    assert snapshot(batch.model) == before
