"""`Adapter`: how the pipelines of a family are called and edited. A family derives its own from it.

`substituted` is the same for all families. It is made of the steps below it, and a family writes those that
are its own: `encode` always, the others where it differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from inkguard.edit.diffusers_internals import cleaned_caption, execution_device, plain
from inkguard.edit.encoder_cache import EncoderCache
from inkguard.edit.rows import FlaggedPrompt, flagged_prompts
from inkguard.edit.substitution import Substitution
from inkguard.errors import InvalidInput, SubstitutionError, UnsupportedModel
from inkguard.families.call_defaults import argument, first_step, pictures_each, takes
from inkguard.manifests.manifest import Manifest

__all__ = ["Adapter", "Encoded"]

_LONGEST_SIDE = 4096
"""Pixels, where a model states no limit."""


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Texts as the denoiser gets them.

    `states` (rows, tokens, width), and where the family has them `pooled` (rows, width) and a `mask`
    (rows, tokens) that is 1 where a token is text and 0 where it is padding.
    """

    states: torch.Tensor
    pooled: torch.Tensor | None = None
    mask: torch.Tensor | None = None


class Adapter:
    """What the guard needs to know of a pipeline family. It has no state: one object serves all pipelines."""

    edit: type[Substitution]
    """How the denoiser is edited."""
    denoiser_component: str = "transformer"
    """The pipeline's attribute that holds the denoiser."""
    text_arguments: tuple[str, ...] = ("prompt",)
    """Arguments of the call whose text the picture may show."""
    embedding_arguments: tuple[str, ...] = ("prompt_embeds",)
    """Arguments that bring text in unread; calls that use them are refused, but for declared ones."""
    declared_arguments: tuple[str, ...] = ()
    """Those of them that may be given beside the text that they were made of."""
    settings: frozenset[str] = frozenset()
    """Arguments of the family's own that bring in no text: call_arguments.py has those that diffusers' classes take."""
    encoders: Mapping[str, str] = {
        "tokenizer": "text_encoder",
        "tokenizer_2": "text_encoder_2",
        "tokenizer_3": "text_encoder_3",
    }
    """The pipeline's attributes that hold tokenizers, and those of the encoders that read what each one makes."""
    token_limit: int | None = None
    """Where `encode_prompt` cuts a text, if it has no argument `max_sequence_length` and its encoder is no CLIP."""
    in_template: bool = False
    """Whether the encoder reads the prompt within a text of the pipeline's own."""
    cleans_captions: bool = False
    """Whether the pipeline lower-cases captions, and with `clean_caption` decodes them and takes out markup."""
    guidance_argument: str = "guidance_scale"
    """The number that decides, at more than 1, that negative prompts are read."""
    processors: frozenset[type] = frozenset()
    """Attention processors of the family's own that read the text they are handed, and no other."""

    @property
    def has_pooled(self) -> bool:
        """Whether pooled text reaches the denoiser beside the states, so that it can be swapped."""
        return "pooled_prompt_embeds" in self.embedding_arguments

    def denoiser(self, pipe: Any) -> Any:
        """The module that is edited."""
        return getattr(pipe, self.denoiser_component)

    def sites(self, pipe: Any) -> list[tuple[str, Any]]:
        """Name in the denoiser and attention module of every site, in the order in which they run.

        Raises UnsupportedModel for a denoiser of another class than the edit's.
        """
        denoiser, known = plain(self.denoiser(pipe)), self.edit.denoisers
        if not isinstance(denoiser, known):
            raise UnsupportedModel(
                f"the sites of a {type(denoiser).__name__} are not known; known are those of "
                f"{' and '.join(kind.__name__ for kind in known)}"
            )
        return self.edit.sites_of(denoiser)

    def site_names(self, pipe: Any) -> list[str]:
        """The names of `sites`."""
        return [name for name, _ in self.sites(pipe)]

    def unit(self, pipe: Any) -> int:
        """What a side in pixels must be a multiple of; latents are packed two by two, if nothing else is said."""
        return int(pipe.vae_scale_factor) * 2

    def longest_side(self, pipe: Any) -> int:
        """The most pixels that a side may have."""
        return _LONGEST_SIDE

    def check_size(self, pipe: Any, width: int | None, height: int | None) -> None:
        """Raise InvalidInput for a size in pixels that the model cannot draw; None is its default."""
        unit, longest = self.unit(pipe), self.longest_side(pipe)
        for name, side in (("width", width), ("height", height)):
            if side is None:
                continue
            if not takes(pipe, name):
                raise InvalidInput(name, f"{type(pipe).__name__} draws in the size of its picture")
            if not unit <= side <= longest or side % unit:
                raise InvalidInput(
                    name, f"must be a multiple of {unit} from {unit} to {longest}, got {side}"
                )

    def read_text(self, pipe: Any, call: Mapping[str, Any], name: str, text: str) -> str:
        """What the text encoder reads of `text` in the argument `name` of the pipeline call `call`.

        Raises InvalidInput, without quoting it, for text that the pipeline cannot read.
        """
        if not self.cleans_captions:
            return text
        try:
            return cleaned_caption(pipe, text, bool(argument(pipe, call, "clean_caption")))
        except Exception:  # the HTML parser has errors of its own, and they quote the text
            raise InvalidInput(
                name, "the pipeline cannot clean its markup: take that out, or clean_caption=False"
            ) from None

    @torch.no_grad()
    def encode_declared(
        self, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Sequence[str]]
    ) -> dict[str, torch.Tensor]:
        """What `declared_arguments` would be for `texts`: (rows, tokens, width), pooled (rows, width)."""
        found = self.encode(pipe, call, texts, execution_device(pipe))
        values = {"prompt_embeds": found.states, "pooled_prompt_embeds": found.pooled}
        return {n: v for n in self.declared_arguments if (v := values[n]) is not None}

    @torch.no_grad()
    def substituted(
        self,
        pipe: Any,
        manifest: Manifest,
        call: Mapping[str, Any],
        rows: Sequence[int],
        donors: Mapping[str, Sequence[str]],
    ) -> Substitution:
        """A `with` block for the pipeline call `call`, in which flagged rows read their donors at the sites.

        `call` holds its text arguments as lists; `rows` are the flagged ones, `donors` the same
        lists with donor text in those rows. Raises SubstitutionError where rows could not be told apart, or
        where the manifest asks for pooled text that the family does not have.
        """
        if manifest.swap_pooled and not self.has_pooled:
            raise SubstitutionError(
                f"the manifest {manifest.name!r} asks for the donor's pooled text, but "
                f"{type(pipe).__name__} has no pooled text that could be swapped: set swap_pooled to false"
            )
        cache = EncoderCache(getattr(pipe, name, None) for name in self.encoders.values())
        device = execution_device(pipe)
        with cache.recording():
            edit = self.edit(
                self.denoiser(pipe),
                manifest.sites,
                self.flagged(pipe, call, rows, donors, device, swap_pooled=manifest.swap_pooled),
                unconditional=self.unconditional(pipe, call, device),
                start_step=first_step(pipe, call, manifest),
                pictures=pictures_each(pipe, call),
            )
        edit.while_encoding(cache.replaying)
        return edit

    def flagged(
        self,
        pipe: Any,
        call: Mapping[str, Any],
        rows: Sequence[int],
        donors: Mapping[str, Sequence[str]],
        device: torch.device,
        *,
        swap_pooled: bool,
    ) -> list[FlaggedPrompt]:
        """The flagged `rows` with their donors, each encoded in a batch like the pipeline's own."""
        own = self.encode(pipe, call, call, device).states
        if (given := call.get("prompt_embeds")) is not None:  # checked: of the declared text
            own = given.to(own)
        donor = self.encode(pipe, call, donors, device)
        pooled = donor.pooled if swap_pooled else None
        return flagged_prompts(own, donor.states, rows, pooled=pooled, masks=donor.mask)

    def unconditional(
        self, pipe: Any, call: Mapping[str, Any], device: torch.device
    ) -> torch.Tensor | None:
        """States of the negative prompts (rows, tokens, width) that the call reads; None where it reads none.

        The empty negative prompt needs no look: a flagged prompt has text, so it encodes to something else,
        and encoding both again is a third of what substitution costs a tiny model.
        """
        if not self.reads_negative(pipe, call):
            return None
        given: torch.Tensor | None = call.get("negative_prompt_embeds")
        if given is not None:
            return given
        negative = {n: call.get(f"negative_{n}") for n in self.text_arguments}
        texts = {n: [t] if isinstance(t, str) else t for n, t in negative.items() if t is not None}
        if not any(any(column) for column in texts.values()):
            return None
        return self.encode_negative(pipe, call, texts, device)

    def reads_negative(self, pipe: Any, call: Mapping[str, Any]) -> bool:
        """Whether the denoiser is called with negative prompts too."""
        return (argument(pipe, call, self.guidance_argument) or 1) > 1

    def encode(
        self, pipe: Any, call: Mapping[str, Any], texts: Mapping[str, Any], device: torch.device
    ) -> Encoded:
        """What the pipeline's `encode_prompt` makes of `texts` in the call `call`, without guidance.

        `texts` has the family's text arguments by name, as lists; it may have more than those.
        """
        raise NotImplementedError

    def encode_negative(
        self,
        pipe: Any,
        call: Mapping[str, Any],
        texts: Mapping[str, Sequence[str]],
        device: torch.device,
    ) -> torch.Tensor | None:
        """States of negative prompts; `texts` has those that were given, under the text arguments' names."""
        return self.encode(pipe, call, texts, device).states
