"""Guard a pipeline class of your own: say how its text is read, and register that.

    python -m examples.my_family

`PosterPipeline` is Stable Diffusion XL with one argument more. The guard refuses it at first, because it is not
one of diffusers' own classes. After `register_family` it is guarded like any other.
"""

from __future__ import annotations

from typing import Any

from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from PIL import ImageEnhance

from inkguard import wrap
from inkguard.draw.load import load_pipeline
from inkguard.errors import UnsupportedModel
from inkguard.families import Family, register_family
from inkguard.families.sdxl.adapter import SdxlAdapter
from inkguard.families.unet_adapter import UNET_CONFIG

__all__ = ["FAMILY", "PosterPipeline"]


class PosterPipeline(StableDiffusionXLPipeline):
    """Stable Diffusion XL that sharpens what it draws."""

    def __call__(  # the guard looks up defaults here, so every argument has its name
        self,
        prompt: Any = None,
        prompt_2: Any = None,
        height: int | None = None,
        width: int | None = None,
        num_inference_steps: int = 50,
        guidance_scale: float = 5.0,
        negative_prompt: Any = None,
        num_images_per_prompt: int = 1,
        generator: Any = None,
        output_type: str = "pil",
        sharpness: float = 1.0,
        **more: Any,
    ) -> Any:
        drawn = super().__call__(
            prompt=prompt,
            prompt_2=prompt_2,
            height=height,
            width=width,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            negative_prompt=negative_prompt,
            num_images_per_prompt=num_images_per_prompt,
            generator=generator,
            output_type=output_type,
            **more,
        )
        if output_type == "pil" and sharpness != 1.0:
            drawn.images = [ImageEnhance.Sharpness(i).enhance(sharpness) for i in drawn.images]
        return drawn


class PosterAdapter(SdxlAdapter):
    """Its text is read as SDXL's is, and the new argument is a number."""

    settings = frozenset({"sharpness"})


FAMILY = Family(
    name="poster",
    pipelines=(PosterPipeline,),
    denoiser=UNet2DConditionModel,
    adapter=PosterAdapter(),
    config=UNET_CONFIG,
)


def main() -> None:
    """Wrap the small model that comes with inkguard, and draw a toxic prompt with it."""
    pipe, folder = load_pipeline("sdxl-tiny")
    poster = PosterPipeline(**pipe.components)
    try:
        wrap(poster, folder=folder)
    except UnsupportedModel as refused:
        print(f"Before: {refused}")
    register_family(FAMILY)
    guarded = wrap(poster, folder=folder)
    drawing = guarded.draw(
        {
            "prompt": ['a red sign that says "IDIOT" on a blue background'],
            "num_inference_steps": 4,
            "sharpness": 2.0,
        }
    )
    print(f"After: {drawing.decisions[0].action}, rung {drawing.rungs[0]}")


if __name__ == "__main__":
    main()
