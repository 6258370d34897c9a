"""Pipeline families: one folder each, with its `FAMILY`, an adapter, and an edit where it has one of its own.

To add a family, write such a folder and put it into `BUILT_IN` below; from outside of inkguard, call
`register_family`. Nothing else has to be touched. `tests/families/test_conformance.py` then runs on it.
`examples/my_family.py` is one in 60 lines.

| If your model | start from |
| --- | --- |
| has a U-Net and one CLIP, as Stable Diffusion 1 has | `sd` |
| has a U-Net, two encoders, and pooled text beside the cross-attention | `sdxl` |
| pools text inside of its denoiser | `deepfloyd` |
| has a transformer with cross-attention (`attn2`), and masks the padding of captions | `pixart` |
| is such a transformer behind a language model, which reads an instruction first | `sana` |
| has joint attention, and pads its text to one length | `sd3` |
| has joint attention, then blocks in which text and picture are one sequence | `flux` |
| has joint attention, and text as long as it is, under a mask | `qwen_image` |
"""

from inkguard.families import deepfloyd, flux, pixart, qwen_image, sana, sd, sd3, sdxl
from inkguard.families.registry import (
    Adapter,
    Family,
    adapter_for,
    families,
    family_of,
    register_family,
    substituted,
)

__all__ = [
    "BUILT_IN",
    "Adapter",
    "Family",
    "adapter_for",
    "families",
    "family_of",
    "register_family",
    "substituted",
]

BUILT_IN: tuple[Family, ...] = (
    flux.FAMILY,
    deepfloyd.FAMILY,
    pixart.FAMILY,
    qwen_image.FAMILY,
    sana.FAMILY,
    sd.FAMILY,
    sd3.FAMILY,
    sdxl.FAMILY,
)
"""The families that come with inkguard, by their names."""

for _family in BUILT_IN:
    register_family(_family)
