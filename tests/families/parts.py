"""What small pipelines of each family are made of."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    AutoencoderDC,
    AutoencoderKLQwenImage,
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxTransformer2DModel,
    LCMScheduler,
    PixArtTransformer2DModel,
    QwenImageTransformer2DModel,
    SanaTransformer2DModel,
    SCMScheduler,
    SD3Transformer2DModel,
)
from tokenizers import processors
from transformers import (
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Gemma2Config,
    Gemma2Model,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)

from tests.families.nets import WIDTH, new_clip, new_t5, new_unet, new_vae, random
from training.spelling_clip import spelling_clip_tokenizer
from training.tokenizers import t5_tokenizer

FLUX: dict[str, Any] = {
    "in_channels": 16,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": WIDTH,
    "pooled_projection_dim": WIDTH,
    "guidance_embeds": True,
    "axes_dims_rope": (4, 4, 8),
}
QWEN: dict[str, Any] = {
    "in_channels": 16,
    "out_channels": 4,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": WIDTH,
    "axes_dims_rope": (4, 4, 8),
}
SANA: dict[str, Any] = {
    "in_channels": 4,
    "out_channels": 4,
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "num_cross_attention_heads": 2,
    "cross_attention_head_dim": 16,
    "cross_attention_dim": 32,
    "caption_channels": WIDTH,
    "sample_size": 16,
}


def sd_parts(distilled: bool = False) -> dict[str, Any]:
    """`distilled` as latent consistency models are: the guidance's scale is embedded with the time."""
    torch.manual_seed(0)
    tokenizer = spelling_clip_tokenizer()
    return {
        "scheduler": LCMScheduler() if distilled else DDIMScheduler(clip_sample=False),
        "vae": new_vae(4),
        "text_encoder": new_clip(CLIPTextModel, tokenizer),
        "tokenizer": tokenizer,
        "unet": new_unet(time_cond_proj_dim=8 if distilled else None),
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }


def upscale_parts() -> dict[str, Any]:
    """The U-Net sees the small picture beside the latents, and how much noise that got."""
    unet = new_unet(in_channels=7, num_class_embeds=1000)
    parts = {**sd_parts(), "unet": unet, "low_res_scheduler": DDPMScheduler()}
    del parts["requires_safety_checker"]
    return parts


def depth_parts() -> dict[str, Any]:
    """Without a depth estimator: calls bring a map of their own."""
    parts = {**sd_parts(), "unet": new_unet(in_channels=5), "depth_estimator": None}
    return {k: v for k, v in parts.items() if "safety_checker" not in k}


def sdxl_parts() -> dict[str, Any]:
    torch.manual_seed(0)
    tokenizer = spelling_clip_tokenizer()
    unet = new_unet(
        cross_attention_dim=2 * WIDTH,
        transformer_layers_per_block=2,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=WIDTH + 6 * 8,
    )
    return {
        "scheduler": DDIMScheduler(clip_sample=False),
        "vae": new_vae(4),
        "text_encoder": new_clip(CLIPTextModel, tokenizer),
        "tokenizer": tokenizer,
        "text_encoder_2": new_clip(CLIPTextModelWithProjection, tokenizer),
        "tokenizer_2": tokenizer,
        "unet": unet,
    }


def sd3_parts() -> dict[str, Any]:
    torch.manual_seed(0)
    clip_tokenizer, tokenizer = spelling_clip_tokenizer(), t5_tokenizer()
    clips = [new_clip(CLIPTextModelWithProjection, clip_tokenizer) for _ in range(2)]
    transformer = SD3Transformer2DModel(
        sample_size=8,
        in_channels=16,
        out_channels=16,
        num_layers=3,
        num_attention_heads=2,
        attention_head_dim=16,
        caption_projection_dim=WIDTH,
        joint_attention_dim=2 * WIDTH,
        pooled_projection_dim=2 * WIDTH,
        pos_embed_max_size=16,
    )
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(),
        "vae": new_vae(4, 16, shift_factor=0.0),
        "text_encoder": clips[0],
        "tokenizer": clip_tokenizer,
        "text_encoder_2": clips[1],
        "tokenizer_2": clip_tokenizer,
        "text_encoder_3": new_t5(tokenizer, 2 * WIDTH),
        "tokenizer_3": tokenizer,
        "transformer": random(transformer),
    }


def if_parts(second_stage: bool = False) -> dict[str, Any]:
    """The `second_stage` sees the first one's picture beside its own, and how much noise that got."""
    torch.manual_seed(0)
    tokenizer = t5_tokenizer()
    unet = new_unet(
        sample_size=16,
        in_channels=6 if second_stage else 3,
        out_channels=6,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        attention_head_dim=8,
        cross_attention_norm="group_norm",
        encoder_hid_dim=WIDTH,
        encoder_hid_dim_type="text_proj",
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        class_embed_type="timestep" if second_stage else None,
        resnet_time_scale_shift="scale_shift",
    )
    # IF's own scheduler: it reads the variance that the U-Net predicts.
    scheduler = DDPMScheduler(variance_type="learned_range", beta_schedule="squaredcos_cap_v2")
    more = {"image_noising_scheduler": DDPMScheduler()} if second_stage else {}
    return {
        "scheduler": scheduler,
        "text_encoder": new_t5(tokenizer),
        "tokenizer": tokenizer,
        "unet": unet,
        "safety_checker": None,
        "feature_extractor": None,
        "watermarker": None,
        "requires_safety_checker": False,
        **more,
    }


def flux_parts(**config: Any) -> dict[str, Any]:
    torch.manual_seed(0)
    clip_tokenizer, tokenizer = spelling_clip_tokenizer(), t5_tokenizer()
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(),
        "vae": new_vae(2, shift_factor=0.0),
        "text_encoder": new_clip(CLIPTextModel, clip_tokenizer),
        "tokenizer": clip_tokenizer,
        "text_encoder_2": new_t5(tokenizer),
        "tokenizer_2": tokenizer,
        "transformer": random(
            FluxTransformer2DModel(num_layers=2, num_single_layers=2, **{**FLUX, **config})
        ),
    }


def qwen_parts() -> dict[str, Any]:
    torch.manual_seed(0)
    tokenizer = t5_tokenizer()
    layers = {"hidden_size": WIDTH, "intermediate_size": WIDTH}
    text = {
        **layers,
        "vocab_size": len(tokenizer),
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "rope_scaling": {"mrope_section": [2, 2, 4], "rope_type": "default"},
    }
    vision = {**layers, "depth": 1, "num_heads": 2, "out_hidden_size": WIDTH}
    config = Qwen2_5_VLConfig(text_config=text, vision_config=vision)
    vae = AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(),
        "vae": vae.eval(),
        "text_encoder": random(Qwen2_5_VLForConditionalGeneration(config)),
        "tokenizer": tokenizer,
        "transformer": random(QwenImageTransformer2DModel(num_layers=3, **QWEN)),
    }


def pixart_parts(sample_size: int = 32) -> dict[str, Any]:
    """With a `sample_size` of 128 the time embedding has PixArt-alpha's additional conditions."""
    torch.manual_seed(0)
    tokenizer = t5_tokenizer()
    transformer = PixArtTransformer2DModel(
        sample_size=sample_size,
        num_layers=3,
        num_attention_heads=2,
        attention_head_dim=24,
        cross_attention_dim=48,
        caption_channels=WIDTH,
    )
    return {
        "scheduler": DPMSolverMultistepScheduler(),
        "vae": new_vae(4),
        "text_encoder": new_t5(tokenizer),
        "tokenizer": tokenizer,
        "transformer": random(transformer),
    }


def sana_parts(distilled: bool = False) -> dict[str, Any]:
    torch.manual_seed(0)
    tokenizer = t5_tokenizer()
    # Gemma's own puts a token before the text and none after it.
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="</s> $A", special_tokens=[("</s>", 1)]
    )
    gemma = Gemma2Config(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
    )
    vae = AutoencoderDC(
        latent_channels=4,
        attention_head_dim=2,
        encoder_block_types=("ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "EfficientViTBlock"),
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        encoder_qkv_multiscales=((), (5,)),
        decoder_qkv_multiscales=((), (5,)),
        encoder_layers_per_block=(1, 1),
        decoder_layers_per_block=(1, 1),
        downsample_block_type="conv",
        upsample_block_type="interpolate",
        scaling_factor=1.0,
    )
    flow = DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True)
    return {
        "scheduler": SCMScheduler() if distilled else flow,
        "vae": vae.eval(),
        "text_encoder": random(Gemma2Model(gemma)),
        "tokenizer": tokenizer,
        "transformer": random(
            SanaTransformer2DModel(num_layers=3, guidance_embeds=distilled, **SANA)
        ),
    }
