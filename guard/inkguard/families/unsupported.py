"""Why the other pipeline classes of diffusers are not guarded.

Each reason is what their code says (diffusers 0.42), or that it was not examined. Every class that diffusers
exports and whose call takes a prompt belongs to a registered family or is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import diffusers

__all__ = ["UNSUPPORTED", "Unsupported", "why_not"]


class Unsupported(NamedTuple):
    """Why a class is refused; `denoiser` is the class that would be edited, empty where no picture is drawn."""

    denoiser: str
    reason: str


_REFUSED: Mapping[str, Mapping[str, str]] = {
    (
        "Perturbed-attention guidance (PAG) puts processors of its own on the model, and a call "
        "that is stopped leaves them there"
    ): {
        "UNet2DConditionModel": """
            KolorsPAGPipeline StableDiffusionControlNetPAGInpaintPipeline
            StableDiffusionControlNetPAGPipeline StableDiffusionPAGImg2ImgPipeline
            StableDiffusionPAGInpaintPipeline StableDiffusionPAGPipeline
            StableDiffusionXLControlNetPAGImg2ImgPipeline
            StableDiffusionXLControlNetPAGPipeline StableDiffusionXLPAGImg2ImgPipeline
            StableDiffusionXLPAGInpaintPipeline StableDiffusionXLPAGPipeline""",
        "SD3Transformer2DModel": "StableDiffusion3PAGImg2ImgPipeline StableDiffusion3PAGPipeline",
        "PixArtTransformer2DModel": "PixArtSigmaPAGPipeline",
        "SanaTransformer2DModel": "SanaPAGPipeline",
        "HunyuanDiT2DModel": "HunyuanDiTPAGPipeline",
    },
    (
        "The denoiser pools T5's text into its time embedding and joins the texts of two "
        "encoders, which no edit handles yet"
    ): {
        "HunyuanDiT2DModel": "HunyuanDiTControlNetPipeline HunyuanDiTPipeline",
    },
    (
        "The positions of the picture's tokens start after the caption's, so a donor of another "
        "length would move the picture"
    ): {
        "Lumina2Transformer2DModel": "Lumina2Pipeline",
        "ZImageTransformer2DModel": """
            ZImageControlNetInpaintPipeline ZImageControlNetPipeline
            ZImageImg2ImgPipeline ZImageInpaintPipeline ZImageOmniPipeline
            ZImagePipeline""",
    },
    (
        "A language model rewrites the prompt before it is encoded (use_pe), and the positions "
        "of the picture's tokens start after the caption's"
    ): {
        "ErnieImageTransformer2DModel": "ErnieImagePipeline",
    },
    (
        "The denoiser pools the caption into its time embedding, and its gated cross-attention "
        "has no edit yet"
    ): {
        "LuminaNextDiT2DModel": "LuminaPipeline",
    },
    "The denoiser pools text into its time embedding, and no edit is written for its blocks": {
        "Kandinsky3UNet": "Kandinsky3Img2ImgPipeline Kandinsky3Pipeline",
    },
    (
        "Text goes through refining blocks inside the denoiser before the picture reads it; no "
        "edit is written for that"
    ): {
        "Kandinsky5Transformer3DModel": "Kandinsky5I2IPipeline Kandinsky5T2IPipeline",
    },
    "Joint attention for whose blocks no shadow text stream is written yet": {
        "AuraFlowTransformer2DModel": "AuraFlowPipeline",
        "BriaTransformer2DModel": "BriaPipeline",
        "ChromaTransformer2DModel": "ChromaImg2ImgPipeline ChromaInpaintPipeline ChromaPipeline",
        "CogView3PlusTransformer2DModel": "CogView3PlusPipeline",
        "CogView4Transformer2DModel": "CogView4ControlPipeline CogView4Pipeline",
        "Flux2Transformer2DModel": """
            Flux2KleinInpaintPipeline Flux2KleinKVPipeline Flux2KleinPipeline
            Flux2Pipeline""",
        "OvisImageTransformer2DModel": "OvisImagePipeline",
    },
    (
        "Text and picture are one sequence in every block, for which no shadow text stream is "
        "written yet"
    ): {
        "Krea2Transformer2DModel": "Krea2Pipeline",
    },
    (
        "The language model reads the pictures with the prompt, and the adapters encode a "
        "prompt alone"
    ): {
        "JoyImageEditTransformer3DModel": "JoyImageEditPipeline",
        "JoyImageEditPlusTransformer3DModel": "JoyImageEditPlusPipeline",
    },
    (
        "Every block reads another layer of the language model, so a shadow text stream would "
        "need all of them"
    ): {
        "BriaFiboTransformer2DModel": "BriaFiboEditPipeline BriaFiboPipeline",
        "HiDreamImageTransformer2DModel": "HiDreamImagePipeline",
    },
    "The denoiser compresses the text to a number of tokens that depends on its length": {
        "BriaFibo2Transformer2DModel": "BriaFibo2Pipeline",
    },
    (
        "A language model draws picture tokens from the prompt first, and text comes into the "
        "picture by those as well"
    ): {
        "GlmImageTransformer2DModel": "GlmImagePipeline",
    },
    (
        "The denoiser refines the text with the time step and sorts the tokens of two encoders "
        "by their masks; quoted text is encoded a second time by itself"
    ): {
        "HunyuanImageTransformer2DModel": "HunyuanImagePipeline",
    },
    (
        "The denoiser refines the text with the time step before the picture reads it; no edit "
        "is written for that"
    ): {
        "HunyuanImageTransformer2DModel": "HunyuanImageRefinerPipeline",
    },
    (
        "Text and picture are one sequence with one position table; its call can also have a "
        "language model rewrite the prompt (prompt_upsampling)"
    ): {
        "Ideogram4Transformer2DModel": "Ideogram4Pipeline",
    },
    (
        "A language model rewrites the prompt before it is encoded (enable_prompt_rewrite), so "
        "what is read is not what was checked"
    ): {
        "LongCatImageTransformer2DModel": "LongCatImagePipeline",
    },
    (
        "The language model reads the picture with the prompt, and the adapters encode a prompt "
        "alone"
    ): {
        "LongCatImageTransformer2DModel": "LongCatImageEditPipeline",
    },
    (
        "Every block projects the text again beside its picture tokens, for which no edit is "
        "written yet"
    ): {
        "NucleusMoEImageTransformer2DModel": "NucleusMoEImagePipeline",
    },
    (
        "The denoiser is the language model: it reads the prompt's tokens itself, so there are "
        "no text embeddings to exchange"
    ): {
        "OmniGenTransformer2DModel": "OmniGenPipeline",
    },
    "Its blocks read the text as added keys of one attention, for which no edit is written yet": {
        "PRXTransformer2DModel": "PRXPipeline PRXPixelPipeline",
    },
    (
        "The language model may read pictures with the prompt, and text and picture are one "
        "sequence, for which no shadow text stream is written yet"
    ): {
        "QwenImage21Transformer2DModel": "QwenImage21Pipeline",
    },
    (
        "The language model reads the picture with the prompt, and the adapter encodes the "
        "prompt alone"
    ): {
        "QwenImageTransformer2DModel": """
            QwenImageEditInpaintPipeline QwenImageEditPipeline QwenImageEditPlusPipeline""",
    },
    (
        "Without a prompt the language model captions the picture, and the picture is drawn in "
        "layers that are not read back"
    ): {
        "QwenImageTransformer2DModel": "QwenImageLayeredPipeline",
    },
    "Not examined: it keeps a reference picture's tokens beside a masked one": {
        "FluxTransformer2DModel": "FluxKontextInpaintPipeline",
    },
    (
        "Its text arguments are task_prompt, content_prompt and a template between, which no "
        "adapter knows"
    ): {
        "FluxTransformer2DModel": "VisualClozeGenerationPipeline VisualClozePipeline",
    },
    "No adapter encodes for it, and no edit is written for its cross-attention": {
        "CosmosTransformer3DModel": "Cosmos2TextToImagePipeline",
    },
    (
        "The language model may read a picture with the prompt, and the adapters encode a "
        "prompt alone"
    ): {
        "DreamLiteUNetModel": "DreamLiteMobilePipeline DreamLitePipeline",
    },
    "A prior and a decoder draw in turn, both from the text, and no edit is written for either": {
        "StableCascadeUNet": "StableCascadeCombinedPipeline StableCascadeDecoderPipeline",
        "WuerstchenDiffNeXt": "WuerstchenCombinedPipeline WuerstchenDecoderPipeline",
    },
    (
        "Picture tokens are predicted, not denoised, and pooled text goes to every block; no "
        "edit is written for that"
    ): {
        "UVit2DModel": "AmusedImg2ImgPipeline AmusedInpaintPipeline AmusedPipeline",
    },
    "Picture tokens are predicted by a discrete diffusion, for which no edit is written": {
        "Transformer2DModel": "VQDiffusionPipeline",
    },
    "Text and picture are denoised together, and the call can write text as well as draw": {
        "UniDiffuserModel": "UniDiffuserPipeline",
    },
    (
        "A prior makes a picture's embedding of the prompt, and the text comes into the picture "
        "by that"
    ): {
        "UNet2DConditionModel": """
            KandinskyCombinedPipeline KandinskyImg2ImgCombinedPipeline
            KandinskyInpaintCombinedPipeline KandinskyV22CombinedPipeline
            KandinskyV22Img2ImgCombinedPipeline KandinskyV22InpaintCombinedPipeline
            StableUnCLIPPipeline UnCLIPPipeline""",
    },
    (
        "The picture's embedding, which carries the prompt's text, is an argument of the call "
        "and cannot be checked"
    ): {
        "UNet2DConditionModel": """
            KandinskyImg2ImgPipeline KandinskyInpaintPipeline KandinskyPipeline
            StableUnCLIPImg2ImgPipeline""",
    },
    (
        "No adapter encodes with its own text encoder (ChatGLM for Kolors, RoBERTa for "
        "AltDiffusion, BERT for LDM, one that mixes in a subject's picture for BLIP)"
    ): {
        "UNet2DConditionModel": """
            AltDiffusionImg2ImgPipeline AltDiffusionPipeline
            BlipDiffusionControlNetPipeline BlipDiffusionPipeline KolorsImg2ImgPipeline
            KolorsPipeline LDMTextToImagePipeline""",
    },
    (
        "Further arguments bring in text that nobody checks (gligen_phrases, source_prompt, "
        "editing_prompt)"
    ): {
        "UNet2DConditionModel": """
            CycleDiffusionPipeline SemanticStableDiffusionPipeline
            StableDiffusionGLIGENPipeline StableDiffusionGLIGENTextImagePipeline""",
    },
    (
        "It puts attention processors of its own on the model for the call, which substitution "
        "would have to share"
    ): {
        "UNet2DConditionModel": """
            StableDiffusionAttendAndExcitePipeline StableDiffusionPix2PixZeroPipeline
            StableDiffusionSAGPipeline""",
    },
    "It denoises several time steps in one batch, and an edit counts one step at a time": {
        "UNet2DConditionModel": "StableDiffusionParadigmsPipeline",
    },
    (
        "It changes the model's text layers by prompts of its own (edit_model), and those "
        "cannot be checked"
    ): {
        "UNet2DConditionModel": "StableDiffusionModelEditingPipeline",
    },
    "It draws depth beside the picture in an output that is not read back": {
        "UNet2DConditionModel": "StableDiffusionLDM3DPipeline",
    },
    (
        "It guides by its picture as well, with the prompt in the first of three parts of the "
        "batch, and the edit knows two parts with the prompt in the second"
    ): {
        "UNet2DConditionModel": """
            StableDiffusionInstructPix2PixPipeline StableDiffusionXLInstructPix2PixPipeline""",
    },
    "It denoises a step in several windows, and an edit counts each call as a step": {
        "UNet2DConditionModel": "StableDiffusionPanoramaPipeline",
    },
    "Its generate_mask and invert read prompts in calls of their own, which nobody checks": {
        "UNet2DConditionModel": "StableDiffusionDiffEditPipeline",
    },
    "Pooled text goes into its time embedding, and no adapter encodes as it does": {
        "UNet2DConditionModel": "StableDiffusionLatentUpscalePipeline",
    },
    "The U-Net is fused with its ControlNet into another class, whose sites are not known": {
        "UNetControlNetXSModel": """
            StableDiffusionControlNetXSPipeline StableDiffusionXLControlNetXSPipeline""",
    },
    (
        "Versatile Diffusion swaps the model's blocks between text and picture; no edit is "
        "written for that"
    ): {
        "UNetFlatConditionModel": """
            VersatileDiffusionDualGuidedPipeline VersatileDiffusionTextToImagePipeline""",
    },
    "An ONNX graph has no modules that could be edited": {
        "OnnxRuntimeModel": """
            OnnxStableDiffusionImg2ImgPipeline OnnxStableDiffusionInpaintPipeline
            OnnxStableDiffusionPipeline OnnxStableDiffusionUpscalePipeline
            StableDiffusionOnnxPipeline""",
    },
}
"""Classes that draw pictures of a prompt, by reason and denoiser."""

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

UNSUPPORTED: Mapping[str, Unsupported] = {
    name: Unsupported(denoiser, reason)
    for reason, denoisers in {**_REFUSED, **{r: {"": n} for r, n in _OUT_OF_SCOPE.items()}}.items()
    for denoiser, names in denoisers.items()
    for name in names.split()
}
"""By the name of the pipeline class."""


def why_not(kind: type) -> str:
    """Why pipelines of a class are not guarded, in a sentence."""
    name = kind.__name__
    if kind.__module__.split(".")[0] != "diffusers":
        return (
            f"{name} is not supported: it is not one of diffusers' own classes, so which of its "
            f"arguments carry text is not known; register_family can say so (docs/reference/families.md)"
        )
    if name.endswith("ModularPipeline"):
        return (
            f"{name} is not supported: its arguments are those of its blocks, so which of them "
            f"carry text is not known"
        )
    if name not in UNSUPPORTED:
        return (
            f"{name} is not supported: it takes no prompt, or is not in the diffusers that this "
            f"version knows (installed: {diffusers.__version__}). docs/reference/families.md lists what is"
        )
    return f"{name} is not supported: {UNSUPPORTED[name].reason}. docs/reference/families.md lists what is"
