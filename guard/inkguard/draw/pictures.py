"""Pictures that come into a call and go out of it, as something that can be read by OCR.

Pipelines take and give pictures in many forms; here each becomes PIL pictures. Text comes in with a
picture as well as with a prompt: image to image at a low strength gives its own picture back. And a picture that is
not one, of numbers that are none, is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image

from inkguard.edit.diffusers_internals import execution_device, unpacked_latents
from inkguard.errors import InvalidInput
from inkguard.families.call_arguments import ATTENTION, LATENTS, MASKS, PICTURES
from inkguard.families.call_defaults import argument
from inkguard.verify import picture_of

__all__ = ["OUTPUT_TYPES", "drawn_pictures", "given_pictures", "has_pictures", "withheld"]

OUTPUT_TYPES = ("pil", "np", "pt", "latent")
"""The forms of pictures that verification can read."""
_CHANNELS = (1, 3, 4)
"""Of pictures: grey, colours, colours with transparency."""
_FLAT = 1e-6
"""Pictures whose numbers differ by less are of one colour."""
_ONE_CHANNEL = ATTENTION | {"depth_map", "mask_image", "control_mask"}
"""Arguments whose pictures have one channel, so that three of them are three pictures."""
_MAY_BE_LATENTS = frozenset({"image", "control_image"})
"""Arguments of pictures that pipelines take for latents by the number of their channels."""


def given_pictures(pipe: Any, call: Mapping[str, Any]) -> Iterator[tuple[str, Image.Image]]:
    """Argument and picture of everything that a pipeline call draws from, latents decoded.

    Raises InvalidInput for what is no picture, without saying more of it than its form.
    """
    for name, value in _given(call):
        for picture in _pictures(pipe, call, name, value):
            yield name, picture


def has_pictures(call: Mapping[str, Any]) -> bool:
    """Whether a pipeline call draws from pictures or latents."""
    return any(True for _ in _given(call))


def _given(call: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in sorted(PICTURES | LATENTS):
        if call.get(name) is not None:
            yield name, call[name]
    for name in sorted(ATTENTION):
        masks = (call.get(name) or {}).get(MASKS)
        if masks is not None:
            yield name, masks


def drawn_pictures(pipe: Any, call: Mapping[str, Any], output: Any) -> list[Image.Image]:
    """The pictures of a pipeline's output, in the order of its rows.

    Raises VerificationError for numbers that are not finite.
    """
    images = output[0] if isinstance(output, tuple) else output.images
    kind = call.get("output_type") or "pil"
    if kind == "pil":
        return list(images)
    if kind == "latent" and hasattr(pipe, "vae"):  # IF has no latents, and gives pixels for them
        images = _decoded(pipe, call, images)
    elif isinstance(images, torch.Tensor):
        images = images.detach().float().cpu()
        if not hasattr(pipe, "vae"):  # what draws pixels hands them over as it has them: -1 to 1
            images = images / 2 + 0.5
        images = images.movedim(1, -1).numpy()
    return [picture_of(image) for image in np.asarray(images)]


def withheld(output: Any) -> list[bool]:
    """Which pictures of an output the pipeline's own safety checker has blacked out; empty without one."""
    if isinstance(output, tuple):
        found = output[1] if len(output) > 1 else None
    else:
        names = ("nsfw_content_detected", "nsfw_detected")
        found = next((f for n in names if (f := getattr(output, n, None)) is not None), None)
    return [bool(one) for one in found] if isinstance(found, list | tuple) else []


def _pictures(pipe: Any, call: Mapping[str, Any], name: str, value: Any) -> Iterator[Image.Image]:
    if isinstance(value, Image.Image):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _pictures(pipe, call, name, one)
    elif isinstance(value, torch.Tensor | np.ndarray):
        # A copy of arrays: PIL's cannot be written, and PyTorch warns of such.
        array = value.detach() if isinstance(value, torch.Tensor) else torch.tensor(value)
        if name in LATENTS or (name in _MAY_BE_LATENTS and _looks_like_latents(pipe, array)):
            yield from map(picture_of, _decoded(pipe, call, array))
        if name not in LATENTS:
            if array.ndim < 2 or not array.numel():
                raise InvalidInput(name, f"an array {tuple(array.shape)} is no picture")
            merged = name not in _ONE_CHANNEL
            yield from (_scaled(one) for one in _planes(array.float().cpu(), merged=merged))
    else:
        raise InvalidInput(name, f"a {type(value).__name__} is no picture that can be read")


def _looks_like_latents(pipe: Any, array: torch.Tensor) -> bool:
    """Whether a pipeline would take a picture (B, C, H, W) for latents, by its channels."""
    config = getattr(getattr(pipe, "vae", None), "config", {})
    channels = config.get("latent_channels") or config.get("z_dim")
    return array.ndim == 4 and array.shape[1] == channels and array.shape[-1] not in _CHANNELS


def _planes(array: torch.Tensor, *, merged: bool) -> Iterator[torch.Tensor]:
    """Pictures (H, W), or (H, W, 3) where channels may be `merged`, of an array of any number of them."""
    if merged and array.ndim >= 3:
        # Channels stand first in tensors and last in arrays; of both, few are channels.
        channel = next((c for c in (-3, -1) if array.shape[c] in _CHANNELS), None)
        if array.shape[-1] in _CHANNELS and array.shape[-2] not in _CHANNELS:
            channel = -1
        if channel is not None:
            pictures = array.movedim(channel, -1)
            for picture in pictures.reshape(-1, *pictures.shape[-3:]):
                yield picture[..., :3] if picture.shape[-1] >= 3 else picture[..., 0]
            return
    if array.shape[-1] == 1 and array.ndim >= 3:  # grey, with its channel last
        array = array[..., 0]
    # Depth maps and masks, and stacks of many control channels: each by itself.
    yield from array.reshape(-1, *array.shape[-2:])


def _scaled(picture: torch.Tensor) -> Image.Image:
    """A picture whose scale its maker alone knows (0 to 1, -1 to 1, 0 to 255, depth), at full contrast.

    A few numbers far away from all others change nothing: they would hide the rest.
    """
    array = np.nan_to_num(picture.numpy())
    low, high = np.percentile(array, (0.1, 99.9))
    if high - low < _FLAT:  # thin letters may be less than that
        low, high = array.min(), array.max()
    array = ((array - low) / max(high - low, _FLAT)).clip(0, 1)
    return picture_of(array if array.ndim == 3 else np.repeat(array[..., None], 3, axis=-1))


@torch.no_grad()
def _decoded(pipe: Any, call: Mapping[str, Any], latents: torch.Tensor) -> Any:
    """Pictures (N, H, W, 3) in 0 to 1 of latents, decoded as the pipelines of diffusers do at their end.

    Raises InvalidInput where the pipeline has no autoencoder, or for latents of another form.
    """
    vae = getattr(pipe, "vae", None)
    if vae is None:
        raise InvalidInput("latents", f"{type(pipe).__name__} has none that could be decoded")
    upcast = vae.dtype == torch.float16 and bool(vae.config.get("force_upcast"))
    try:
        if upcast:  # as the pipelines do: it overflows in float16
            vae.to(torch.float32)
        if latents.ndim == 3:
            latents = unpacked_latents(pipe, latents, *_size(pipe, call))
        latents = _unscaled(vae, latents.to(execution_device(pipe), vae.dtype))
        pictures = vae.decode(latents, return_dict=False)[0]
    except (RuntimeError, ValueError, IndexError) as error:
        raise InvalidInput(
            "latents",
            f"they are none that the model's autoencoder can decode ({type(error).__name__})",
        ) from None
    finally:
        if upcast:
            vae.to(torch.float16)
    pictures = pictures[:, :, 0] if pictures.ndim == 5 else pictures
    return (pictures.float() / 2 + 0.5).clamp(0, 1).movedim(1, -1).cpu().numpy()


def _unscaled(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Latents as the autoencoder gave them, before they were scaled for the denoiser."""
    config = vae.config
    scale = config.get("scaling_factor") or 1.0
    mean, std = config.get("latents_mean"), config.get("latents_std")
    if mean is not None and std is not None:
        shape = (1, -1, *[1] * (latents.ndim - 2))
        return latents * latents.new_tensor(std).view(shape) / scale + latents.new_tensor(
            mean
        ).view(shape)
    return latents / scale + (config.get("shift_factor") or 0.0)


def _size(pipe: Any, call: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width in pixels that a pipeline call draws."""
    usual = getattr(pipe, "default_sample_size", 0) * pipe.vae_scale_factor
    height = int(argument(pipe, call, "height") or usual)
    width = int(argument(pipe, call, "width") or usual)
    area = argument(pipe, call, "max_area")
    if area is not None:  # FLUX Kontext keeps the sides' ratio alone
        unit, ratio = int(pipe.vae_scale_factor) * 2, width / height
        sides = (area / ratio) ** 0.5, (area * ratio) ** 0.5
        height, width = (round(side) // unit * unit for side in sides)
    return height, width
