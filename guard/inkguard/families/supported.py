"""Which pipeline classes of diffusers are guarded, by which adapter, and why the others are not.

Every class that diffusers exports and whose call takes a prompt is here or in refused.py;
`python -m tools.families_page` makes docs/reference/families.md of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import diffusers

from inkguard.families.unsupported import REFUSED

__all__ = ["FAMILIES", "Family", "why_not"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What is known of one pipeline class: an `adapter`, or the `reason` why it is refused.

    `denoiser` is the class that is or would be edited; empty for classes that make no pictures.
    """

    denoiser: str = ""
    adapter: str | None = None
    reason: str = ""


_SUPPORTED: Mapping[tuple[str, str], str] = {
    ("flux", "FluxTransformer2DModel"): """
        FluxControlImg2ImgPipeline FluxControlInpaintPipeline FluxControlNetImg2ImgPipeline
        FluxControlNetInpaintPipeline FluxControlNetPipeline FluxControlPipeline FluxFillPipeline
        FluxImg2ImgPipeline FluxInpaintPipeline FluxKontextPipeline FluxPipeline""",
    ("if", "UNet2DConditionModel"): """
        IFImg2ImgPipeline IFImg2ImgSuperResolutionPipeline IFInpaintingPipeline
        IFInpaintingSuperResolutionPipeline IFPipeline IFSuperResolutionPipeline""",
    ("pixart", "PixArtTransformer2DModel"): "PixArtAlphaPipeline PixArtSigmaPipeline",
    ("qwen", "QwenImageTransformer2DModel"): """
        QwenImageControlNetInpaintPipeline QwenImageControlNetPipeline QwenImageImg2ImgPipeline
        QwenImageInpaintPipeline QwenImagePipeline""",
    ("sana", "SanaTransformer2DModel"): """
        SanaControlNetPipeline SanaPipeline SanaSprintImg2ImgPipeline SanaSprintPipeline""",
    ("sd", "UNet2DConditionModel"): """
        LatentConsistencyModelImg2ImgPipeline LatentConsistencyModelPipeline
        StableDiffusionAdapterPipeline StableDiffusionControlNetImg2ImgPipeline
        StableDiffusionControlNetInpaintPipeline StableDiffusionControlNetPipeline
        StableDiffusionDepth2ImgPipeline StableDiffusionImg2ImgPipeline
        StableDiffusionInpaintPipeline StableDiffusionPipeline StableDiffusionUpscalePipeline""",
    ("sd3", "SD3Transformer2DModel"): """
        StableDiffusion3ControlNetInpaintingPipeline StableDiffusion3ControlNetPipeline
        StableDiffusion3Img2ImgPipeline StableDiffusion3InpaintPipeline StableDiffusion3Pipeline""",
    ("sdxl", "UNet2DConditionModel"): """
        StableDiffusionXLAdapterPipeline StableDiffusionXLControlNetImg2ImgPipeline
        StableDiffusionXLControlNetInpaintPipeline StableDiffusionXLControlNetPipeline
        StableDiffusionXLControlNetUnionImg2ImgPipeline
        StableDiffusionXLControlNetUnionInpaintPipeline
        StableDiffusionXLControlNetUnionPipeline StableDiffusionXLImg2ImgPipeline
        StableDiffusionXLInpaintPipeline StableDiffusionXLPipeline""",
}
"""Adapter and denoiser, and the pipeline classes that they go for."""


_OUT_OF_SCOPE: Mapping[str, str] = {
    "It makes video": """
        AllegroPipeline AnimateDiffControlNetPipeline AnimateDiffPAGPipeline
        AnimateDiffPipeline AnimateDiffSDXLPipeline AnimateDiffSparseControlNetPipeline
        AnimateDiffVideoToVideoControlNetPipeline AnimateDiffVideoToVideoPipeline
        AnyFlowFARPipeline AnyFlowPipeline ChronoEditPipeline CogVideoXFunControlPipeline
        CogVideoXImageToVideoPipeline CogVideoXPipeline CogVideoXVideoToVideoPipeline
        ConsisIDPipeline Cosmos2VideoToWorldPipeline Cosmos2_5_PredictBasePipeline
        Cosmos2_5_TransferPipeline Cosmos3OmniPipeline CosmosTextToWorldPipeline
        CosmosVideoToWorldPipeline EasyAnimateControlPipeline EasyAnimateInpaintPipeline
        EasyAnimatePipeline HeliosPipeline HeliosPyramidPipeline
        HunyuanSkyreelsImageToVideoPipeline HunyuanVideo15ImageToVideoPipeline
        HunyuanVideo15Pipeline HunyuanVideoFramepackPipeline
        HunyuanVideoImageToVideoPipeline HunyuanVideoPipeline I2VGenXLPipeline
        Kandinsky5I2VPipeline Kandinsky5T2VPipeline Kandinsky6TI2VAPipeline
        LTX2ConditionPipeline LTX2DFRPipeline LTX2DFRTemporalRefinePipeline LTX2HDRPipeline
        LTX2ImageToVideoPipeline LTX2InContextPipeline LTX2Pipeline LTXConditionPipeline
        LTXI2VLongMultiPromptPipeline LTXImageToVideoPipeline LTXPipeline LattePipeline
        LucyEditPipeline MochiPipeline MotifVideoImage2VideoPipeline MotifVideoPipeline
        PIAPipeline SanaImageToVideoPipeline SanaVideoPipeline SanaWMPipeline
        SkyReelsV2DiffusionForcingImageToVideoPipeline SkyReelsV2DiffusionForcingPipeline
        SkyReelsV2DiffusionForcingVideoToVideoPipeline SkyReelsV2ImageToVideoPipeline
        SkyReelsV2Pipeline TextToVideoSDPipeline TextToVideoZeroPipeline
        TextToVideoZeroSDXLPipeline VideoToVideoSDPipeline WanAnimatePipeline
        WanImageToVideoPipeline WanPipeline WanVACEPipeline WanVideoToVideoPipeline""",
    "It makes sound": """
        AceStepPipeline AudioLDM2Pipeline AudioLDMPipeline LongCatAudioDiTPipeline
        MusicLDMPipeline StableAudio3AudioToAudioPipeline StableAudio3InpaintPipeline
        StableAudio3Pipeline StableAudioPipeline""",
    "It writes text": "DiffusionGemmaPipeline LLaDA2Pipeline",
    "It makes three-dimensional objects": "ShapEPipeline",
    "It makes embeddings for another pipeline, and no picture": """
        FluxPriorReduxPipeline KandinskyPriorPipeline KandinskyV22PriorEmb2EmbPipeline
        KandinskyV22PriorPipeline StableCascadePriorPipeline WuerstchenPriorPipeline""",
}
"""Classes that make something else, by reason."""


def _families() -> dict[str, Family]:
    families = {
        name: Family(denoiser=denoiser, adapter=adapter)
        for (adapter, denoiser), names in _SUPPORTED.items()
        for name in names.split()
    }
    for reason, denoisers in REFUSED.items():
        for denoiser, names in denoisers.items():
            families |= {n: Family(denoiser=denoiser, reason=reason) for n in names.split()}
    for reason, names in _OUT_OF_SCOPE.items():
        families |= {n: Family(reason=reason) for n in names.split()}
    return dict(sorted(families.items()))


FAMILIES: Mapping[str, Family] = _families()
"""Every pipeline class of diffusers whose call takes a prompt, by name."""


def why_not(kind: type) -> str:
    """Why pipelines of a class are not guarded, in a sentence."""
    name = kind.__name__
    if kind.__module__.split(".")[0] != "diffusers":
        return (
            f"{name} is not supported: it is not one of diffusers' own classes, so which of its "
            f"arguments carry text is not known"
        )
    if name.endswith("ModularPipeline"):
        return (
            f"{name} is not supported: its arguments are those of its blocks, so which of them "
            f"carry text is not known"
        )
    if name not in FAMILIES:
        return (
            f"{name} is not supported: it takes no prompt, or is not in the diffusers that this "
            f"version knows (installed: {diffusers.__version__}). docs/reference/families.md lists what is"
        )
    return f"{name} is not supported: {FAMILIES[name].reason}. docs/reference/families.md lists what is"
