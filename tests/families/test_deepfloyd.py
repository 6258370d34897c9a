"""A stock `IFPipeline` with random weights under the guard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler, IFPipeline, UNet2DConditionModel
from transformers import T5Config, T5EncoderModel

from inkguard.draw.guarded_pipeline import GuardedPipeline
from inkguard.errors import Cancelled, InvalidInput, SubstitutionError
from inkguard.families.registry import adapter_for
from inkguard.guard import Guard
from inkguard.manifests.manifest import Manifest
from inkguard.timing import Stages
from inkguard.types import Action, Rung
from training.tokenizers import t5_tokenizer

TOXIC = 'a red sign that says "IDIOT" on a blue background with a yellow star'
HARMLESS = 'a cyan sign that says "WELCOME" on a brown background with a pink circle'
TEXT_WIDTH = 32


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The net is so small that a second thread only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def pipe() -> IFPipeline:
    torch.manual_seed(0)
    tokenizer = t5_tokenizer()
    text = T5Config(
        vocab_size=len(tokenizer), d_model=TEXT_WIDTH, d_kv=8, d_ff=32, num_layers=1, num_heads=4
    )
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=3,
        out_channels=6,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        block_out_channels=(8, 16),
        layers_per_block=1,
        attention_head_dim=8,
        norm_num_groups=4,
        cross_attention_dim=32,
        cross_attention_norm="group_norm",
        encoder_hid_dim=TEXT_WIDTH,
        encoder_hid_dim_type="text_proj",
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        resnet_time_scale_shift="scale_shift",
    )
    # IF's own scheduler: it reads the variance that the U-Net predicts.
    scheduler = DDPMScheduler(variance_type="learned_range", beta_schedule="squaredcos_cap_v2")
    pipeline = IFPipeline(
        tokenizer=tokenizer,
        text_encoder=T5EncoderModel(text).eval(),
        unet=unet.eval(),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def manifest(pipe: IFPipeline, sites: tuple[int, ...], **more: Any) -> Manifest:
    names = [name for name, _ in adapter_for(pipe).sites(pipe)]
    return Manifest(
        name="test",
        pipeline="IFPipeline",
        denoiser="UNet2DConditionModel",
        config={},
        weights_digest=None,
        source="measured",
        sites=sites,
        modules=tuple(names[s] for s in sites),
        **{"start_step": 0, **more},
    )


def guarded(guard: Guard, pipe: IFPipeline, *sites: int, **more: Any) -> GuardedPipeline:
    found = manifest(pipe, sites, **more)
    return GuardedPipeline(pipe, guard.checker, manifest=found, reader=None)


def call(prompts: Any, guidance: float = 7.0, each: int = 1, steps: int = 2) -> dict[str, Any]:
    return {
        "prompt": prompts,
        "guidance_scale": guidance,
        "num_images_per_prompt": each,
        "num_inference_steps": steps,
        "generator": torch.Generator().manual_seed(3),
        "output_type": "np",
    }


def every_site(pipe: IFPipeline) -> range:
    return range(len(adapter_for(pipe).sites(pipe)))


def test_sites_lie_in_down_mid_and_up(pipe: IFPipeline) -> None:
    """One each in the down and mid blocks and two in the up block, in the order of execution."""
    names = [name for name, _ in adapter_for(pipe).sites(pipe)]
    assert names == [
        "down_blocks.1.attentions.0",
        "mid_block.attentions.0",
        "up_blocks.0.attentions.0",
        "up_blocks.0.attentions.1",
    ]


@pytest.mark.parametrize("negative", [None, ["a pink star"], "a pink star"], ids=str)
def test_unconditional_rows_are_never_substituted(
    guard: Guard, pipe: IFPipeline, negative: Any
) -> None:
    """Negative prompts are told from flagged ones; one that encodes the same is refused."""
    prompt = TOXIC if isinstance(negative, str) else [TOXIC]
    seen: list[torch.Tensor] = []
    site = dict(adapter_for(pipe).sites(pipe))["mid_block.attentions.0"]
    arguments = {**call(prompt), "negative_prompt": negative}
    hook = site.register_forward_pre_hook(
        lambda *given: seen.append(given[2]["encoder_hidden_states"]), with_kwargs=True
    )
    pipe(**arguments)
    hook.remove()
    plain = seen[0]
    wrapped = guarded(guard, pipe, 1)

    def note(*given: Any) -> None:
        seen.append(given[2]["encoder_hidden_states"])

    with adapter_for(pipe).substituted(
        pipe, manifest(pipe, (1,)), {**arguments, "prompt": [TOXIC]}, [0], {"prompt": [HARMLESS]}
    ):
        hook = site.register_forward_pre_hook(note, with_kwargs=True)
        pipe(**arguments)
        hook.remove()
    assert torch.equal(seen[-1][0], plain[0])
    assert not torch.equal(seen[-1][1], plain[1])
    with pytest.raises(SubstitutionError, match="same text embeddings as a negative prompt"):
        wrapped(**{**arguments, "negative_prompt": prompt})


@pytest.mark.parametrize("rung", [Rung.SITES, Rung.ALL_LAYERS])
def test_a_prompt_as_a_string_may_have_a_negative_string(
    guard: Guard, pipe: IFPipeline, rung: Rung
) -> None:
    """IF wants both of one type, also when the donor prompt takes the prompt's place."""
    found = manifest(pipe, (1,)) if rung is Rung.SITES else None
    wrapped = GuardedPipeline(pipe, guard.checker, manifest=found, reader=None)
    drawing = wrapped.draw({**call(TOXIC), "negative_prompt": "a pink star"})
    assert drawing.rungs == [rung]


@pytest.mark.parametrize("after", [1, 3])
def test_stopping_ends_within_the_step(
    guard: Guard, pipe: IFPipeline, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """IF has no callback for it; also at the last step nothing is made into a picture."""
    steps: list[tuple[int, int]] = []
    made: list[object] = []
    original = pipe.run_safety_checker
    monkeypatch.setattr(
        pipe, "run_safety_checker", lambda *a, **k: made.append(a) or original(*a, **k)
    )

    def stop(done: int, total: int) -> None:
        steps.append((done, total))
        if done == after:
            raise Cancelled("stopped by the test")

    wrapped = guarded(guard, pipe, 1)
    with pytest.raises(Cancelled):
        wrapped.draw(call([TOXIC], steps=3), on_step=stop)
    assert steps == [(n, 3) for n in range(1, after + 1)]
    assert not made
    stages = Stages()
    wrapped.draw(call([TOXIC], steps=3), stages=stages)
    assert len(made) == 1
    assert {"encode", "denoise", "decode"} <= set(stages.seconds)


def test_sites_start_at_the_manifests_share_of_the_steps(guard: Guard, pipe: IFPipeline) -> None:
    """Step 2 of 50 is step 4 of 100 and the first of 4."""
    fired: list[int] = []
    hook = pipe.unet.encoder_hid_proj.register_forward_hook(
        lambda *seen: fired.append(len(seen[2]))
    )
    guarded(guard, pipe, 1, start_step=1, of_steps=4)(**call([TOXIC], steps=8))
    hook.remove()
    # Where sites fire, the donor's one row is projected after the batch's two.
    assert fired == [2] * 2 + [2, 1] * 6


def test_what_cannot_be_used_is_refused(guard: Guard, pipe: IFPipeline) -> None:
    """Embeddings, sizes that the blocks cannot halve and double, pooled text that IF does not have."""
    wrapped = guarded(guard, pipe, 1)
    with pytest.raises(InvalidInput, match="prompt_embeds"):
        wrapped(prompt_embeds=torch.zeros(1, 77, TEXT_WIDTH))
    with pytest.raises(InvalidInput, match="width: must be a multiple of 2 from 2"):
        wrapped.check_size(15, None)
    wrapped.check_size(18, 10)
    assert pipe(**call([HARMLESS]), width=18, height=10).images.shape == (1, 10, 18, 3)
    with pytest.raises(SubstitutionError, match="swap_pooled"):
        guarded(guard, pipe, 1, swap_pooled=True)(**call([TOXIC]))


@pytest.mark.parametrize(
    "hidden", ["%49DIOT", "&#73;DIOT", "%2549DIOT", "I<b></b>DIOT", "I&lt;b&gt;DIOT"]
)
def test_what_is_checked_is_what_the_model_reads(
    guard: Guard, pipe: IFPipeline, hidden: str
) -> None:
    """A word behind escapes or markup is found, and its donor is what the model then reads."""
    pytest.importorskip("bs4")
    pytest.importorskip("ftfy")
    prompt = TOXIC.replace("IDIOT", hidden)
    drawing = guarded(guard, pipe, *every_site(pipe)).draw(call([prompt]))
    (decision,) = drawing.decisions
    assert decision.action is Action.SUBSTITUTE
    assert decision.reason == "findings_as_read"
    assert decision.donor_prompt is not None
    assert "idiot" not in decision.donor_prompt.lower()
    assert pipe._text_preprocessing(decision.donor_prompt, clean_caption=True) == [
        decision.donor_prompt.lower()
    ]
    plain = guarded(guard, pipe, 1).draw({**call([prompt]), "clean_caption": False})
    assert not plain.decisions[0].reason.endswith("_as_read")


def test_markup_that_cannot_be_cleaned_is_refused_without_quoting_it(
    guard: Guard, pipe: IFPipeline
) -> None:
    """The HTML parser's own error would say the prompt."""
    pytest.importorskip("bs4")
    pytest.importorskip("ftfy")
    with pytest.raises(InvalidInput, match="prompt: the pipeline cannot clean") as refused:
        guarded(guard, pipe, 1)(**call(['a sign that says "<![WELCOME"']))
    assert "welcome" not in str(refused.value).lower()
    assert refused.value.__cause__ is None
