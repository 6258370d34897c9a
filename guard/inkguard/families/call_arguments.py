"""What each argument of a pipeline call can bring into the picture: data, for every supported class.

A call may bring text by more ways than its prompt. So each argument is listed here by what it
carries, and one that is not listed is refused: a later diffusers may add one that carries text.
`tests/families/test_call_arguments.py` holds the table against the signatures of all supported
classes. docs/guides/substitution.md says for each way what is done about it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch

from inkguard.errors import InvalidInput

__all__ = [
    "ATTENTION",
    "CALLBACKS",
    "EMBEDDINGS",
    "INSTRUCTIONS",
    "LATENTS",
    "MASKS",
    "NEGATIVE",
    "PICTURES",
    "SETTINGS",
    "TEXTS",
    "refuse_unknown",
    "taken",
]

TEXTS = frozenset({"prompt", "prompt_2", "prompt_3"})
"""Text that the picture may show: checked."""

INSTRUCTIONS = frozenset({"complex_human_instruction"})
"""Text that a language model reads before the prompt: the pipeline's own or none (Sana's adapter)."""

EMBEDDINGS = frozenset(
    {
        "prompt_embeds",
        "pooled_prompt_embeds",
        "prompt_attention_mask",
        "prompt_embeds_mask",
        "controlnet_pooled_projections",
        "ip_adapter_image_embeds",
        "negative_ip_adapter_image_embeds",
    }
)
"""Text or pictures that nobody can read any more: refused, unless their text is declared beside them."""

NEGATIVE = frozenset(
    {
        "negative_prompt",
        "negative_prompt_2",
        "negative_prompt_3",
        "negative_prompt_embeds",
        "negative_pooled_prompt_embeds",
        "negative_prompt_embeds_mask",
        "negative_prompt_attention_mask",
    }
)
"""What guidance leads away from. Every supported class reads it at a guidance above 1 only."""

PICTURES = frozenset(
    {
        "image",
        "control_image",
        "mask_image",
        "control_mask",
        "original_image",
        "depth_map",
        "ip_adapter_image",
        "negative_ip_adapter_image",
    }
)
"""Pictures that may hold text: read before drawing, and what is drawn from them after it."""

LATENTS = frozenset({"latents", "masked_image_latents"})
"""Pictures in the autoencoder's terms, or noise: decoded, and then as `PICTURES`."""

ATTENTION = frozenset({"cross_attention_kwargs", "joint_attention_kwargs", "attention_kwargs"})
"""Handed on to attention processors: `_ATTENTION_KEYS` alone."""

CALLBACKS = frozenset(
    {"callback", "callback_on_step_end", "callback_on_step_end_tensor_inputs", "callback_steps"}
)
"""The user's own functions between two steps; what they give back is looked at."""

SETTINGS = frozenset(
    [
        "num_inference_steps",
        "guidance_scale",
        "num_images_per_prompt",
        "generator",
        "output_type",
        "return_dict",
        "height",
        "width",
        "sigmas",
        "timesteps",
        "eta",
        "strength",
        "max_sequence_length",
        "clip_skip",
        "clean_caption",
        "controlnet_conditioning_scale",
        "control_guidance_start",
        "control_guidance_end",
        "control_mode",
        "guess_mode",
        "padding_mask_crop",
        "guidance_rescale",
        "true_cfg_scale",
        "denoising_start",
        "denoising_end",
        "original_size",
        "crops_coords_top_left",
        "target_size",
        "aesthetic_score",
        "negative_original_size",
        "negative_crops_coords_top_left",
        "negative_target_size",
        "negative_aesthetic_score",
        "use_resolution_binning",
        "noise_level",
        "mu",
        "original_inference_steps",
        "max_timesteps",
        "intermediate_timesteps",
        "adapter_conditioning_scale",
        "adapter_conditioning_factor",
        "max_area",
        "_auto_resize",
        "skip_guidance_layers",
        "skip_layer_guidance_scale",
        "skip_layer_guidance_stop",
        "skip_layer_guidance_start",
    ]
)
"""Numbers and names: they bring in no text."""

_GUIDANCE = frozenset({"guidance_scale", "true_cfg_scale"})
"""Numbers that decide whether negative prompts lead away."""
MASKS = "ip_adapter_masks"
"""The one key of `ATTENTION` that holds pictures."""
_ATTENTION_KEYS = frozenset({"scale", MASKS})
_KNOWN = (
    TEXTS
    | INSTRUCTIONS
    | EMBEDDINGS
    | NEGATIVE
    | PICTURES
    | LATENTS
    | ATTENTION
    | CALLBACKS
    | SETTINGS
)


def refuse_unknown(
    call: Mapping[str, Any], texts: Collection[str], settings: Collection[str]
) -> None:
    """Raise InvalidInput for an argument of a pipeline call that might bring in text unread.

    `texts` are the text arguments that the pipeline's adapter checks, and `settings` those that bring in no text
    beside `SETTINGS`.
    """
    for name, value in call.items():
        if name not in _KNOWN and name not in settings:
            raise InvalidInput(
                name, "inkguard does not know whether this argument brings in text: leave it out"
            )
        if name in TEXTS and name not in texts and value is not None:
            raise InvalidInput(name, "this pipeline has no such text: leave it out")
        if name in ATTENTION and value:
            for key in value:
                if key not in _ATTENTION_KEYS:
                    raise InvalidInput(
                        name,
                        f"what {key!r} brings in cannot be checked; only "
                        f"{' and '.join(sorted(_ATTENTION_KEYS))} may be given",
                    )


def taken(call: Mapping[str, Any]) -> dict[str, Any]:
    """The call with copies of what is checked, of Python's and PyTorch's own types.

    A list or a dictionary may change while the call draws, by a callback or by another thread, and
    an object of a class derived from these may look different each time. An empty second or third prompt
    is left out: the pipelines read the first one in its place.
    """
    copies = {name: _taken(name, value) for name, value in call.items()}
    more = TEXTS - {"prompt"}
    return {n: v for n, v in copies.items() if not (n in more and isinstance(v, str) and not v)}


def _taken(name: str, value: Any) -> Any:
    if name in TEXTS | NEGATIVE | INSTRUCTIONS and isinstance(value, list):
        return [_plain(v) for v in value]
    if name in ATTENTION and isinstance(value, Mapping):
        return {_plain(k): v for k, v in value.items()}
    if name in EMBEDDINGS and isinstance(value, torch.Tensor):
        return value.detach().as_subclass(torch.Tensor).clone()
    value = _plain(value)
    if name in _GUIDANCE and value is not None and not isinstance(value, int | float):
        try:
            return float(value)
        except (TypeError, ValueError):
            raise InvalidInput(name, f"expected a number, got a {type(value).__name__}") from None
    return value


def _plain(value: Any) -> Any:
    """A string's own letters and a number's own value, whatever its class says that they are."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__int__(value)
    return value
