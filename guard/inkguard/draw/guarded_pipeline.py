"""What a user holds in place of a diffusers pipeline, and can use like it without losing the guard.

It is a stand-in around the pipeline and no class made of the pipeline's (docs/guides/substitution.md
says why): the pipeline's own code never sees it, so all of that works as it does without a guard,
and everything that comes out of it passes through here.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import nn

from inkguard.check.checker import Checker, load_checker
from inkguard.draw.load import loaded_from
from inkguard.draw.parts import Parts
from inkguard.draw.picture_call import Drawing, PictureCall
from inkguard.draw.refused_uses import FIXED, UNGUARDED
from inkguard.draw.same_parts import over_same_parts
from inkguard.draw.watch import OnStep
from inkguard.edit.diffusers_internals import plain
from inkguard.edit.lease import exclusive
from inkguard.edit.processors import refuse_foreign_processors
from inkguard.errors import InvalidInput, ManifestError, UnguardedUse
from inkguard.families.call_defaults import takes
from inkguard.families.registry import Adapter, adapter_for, manifest_for
from inkguard.fork import computing
from inkguard.manifests.manifest import Manifest
from inkguard.policy.model import Policy
from inkguard.timing import Stages
from inkguard.types import Decision, Method
from inkguard.verify import Reader, reader_for

__all__ = ["GuardedPipeline", "wrap"]


class GuardedPipeline:
    """Called like the pipeline it wraps; raises `Blocked` where a prompt is blocked.

    A call is all or nothing: one blocked prompt in a batch blocks the call. Calls of pipelines that
    share a part (a denoiser, an encoder, a scheduler) wait for each other.

    Other attributes are the wrapped pipeline's, to read and to set; what would hand out the
    pipeline itself hands out this one, and what would make an unguarded one of its parts raises
    UnguardedUse. A denoiser that is set is looked at as a new model is, and refused like one. To
    `isinstance` this is a pipeline of the wrapped one's class. It can be copied; pickled it cannot be.

    Raises UnsupportedModel, ManifestError for a manifest of another model, and SubstitutionError for
    attention processors that may bring in text of their own.

    Example::

        guarded = wrap(pipe).to("cuda")
        guarded.scheduler = DDIMScheduler.from_config(guarded.scheduler.config)
        image = guarded('a red sign that says "HELLO"').images[0]
    """

    __slots__ = ("__weakref__", "_matched", "_parts")

    _parts: Parts
    _matched: nn.Module | None
    """The denoiser that the manifest was seen to fit."""

    def __init__(
        self,
        pipe: Any,
        checker: Checker,
        *,
        manifest: Manifest | None,
        reader: Reader | None,
        token_texts: Mapping[str, str] | None = None,
    ) -> None:
        _refuse_guarded(pipe)
        self._matched = None
        self._parts = Parts(
            pipe=pipe,
            adapter=adapter_for(pipe),
            checker=checker,
            manifest=manifest,
            reader=reader,
            token_texts=dict(token_texts or {}),
        )
        self._refuse_processors()

    @property
    def parts(self) -> Parts:
        """What the guard is made of. Its `pipe` draws without the guard."""
        return self._parts

    @property
    def _pipe(self) -> Any:
        return self._parts.pipe

    @property
    def _adapter(self) -> Adapter:
        return self._parts.adapter

    @property
    def _manifest(self) -> Manifest | None:
        return self._parts.manifest

    @property  # type: ignore[misc]  # what `isinstance` asks
    def __class__(self) -> type:
        return type(self._pipe)

    def __getattr__(self, name: str) -> Any:
        if name in UNGUARDED:
            raise UnguardedUse(f"{name}: {UNGUARDED[name]}")
        return self._still_guarded(getattr(self._pipe, name))

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FIXED:
            raise UnguardedUse(f"{name}: {FIXED[name]}")
        if name in GuardedPipeline.__slots__:
            object.__setattr__(self, name, value)
            return
        if name != self._adapter.denoiser_component:
            own = self._pipe if value is self else value
            # Another thread's picture is drawn with what it was checked with, a tokenizer for instance.
            with exclusive([*self._shared(), own] if _is_part(own) else [], again=True):
                setattr(self._pipe, name, own)
            return
        before = getattr(self._pipe, name)
        with exclusive([*self._shared(), value]):
            setattr(self._pipe, name, value)
            try:
                self._match_denoiser(another=True)
            except BaseException:
                setattr(self._pipe, name, before)
                raise

    def __delattr__(self, name: str) -> None:
        delattr(self._pipe, name)

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *dir(self._pipe)} - UNGUARDED.keys())

    def __repr__(self) -> str:
        return f"GuardedPipeline({self._pipe!r})"

    def __copy__(self) -> GuardedPipeline:
        with exclusive(self._shared()):
            return self._around(copy.copy(self._pipe))

    def __deepcopy__(self, memo: dict[int, Any]) -> GuardedPipeline:
        with exclusive(self._shared()):
            return self._around(copy.deepcopy(self._pipe, memo))

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        self.__getstate__()

    def __getstate__(self) -> NoReturn:
        raise TypeError(
            "a guarded pipeline cannot be pickled: load the pipeline in the other process and wrap it "
            "there, or send prompts to a sidecar"
        )

    def __call__(self, *args: Any, **call: Any) -> Any:
        """The wrapped pipeline's own output, for its own arguments."""
        if args:
            call = self._named(args, call)
        return self.draw(call).output

    def as_class(self, kind: type, **parts: Any) -> GuardedPipeline:
        """A guarded pipeline of another diffusers class over the same parts, under the same policy.

        `parts` are what that class needs besides (a ControlNet, say). Both draw in turn. Example::

            image_to_image = guarded.as_class(StableDiffusionXLImg2ImgPipeline)
        """
        with exclusive(self._shared()):
            return self._around(over_same_parts(kind, self._pipe, parts))

    def refuse_unsupported(self) -> None:
        """Raise what a call would raise for the model as it is now, whatever its prompts.

        ManifestError for a manifest of another model, SubstitutionError for a denoiser that cannot be
        edited. `wrap` asks this at once.
        """
        with exclusive(self._shared()):
            self._match_denoiser()
            if self._manifest is not None:
                denoiser = plain(self._adapter.denoiser(self._pipe))
                self._adapter.edit.refuse_unsupported(denoiser, self._manifest.sites)

    def check_size(self, width: int | None, height: int | None) -> None:
        """Raise InvalidInput for a size in pixels that the model cannot draw."""
        self._adapter.check_size(self._pipe, width, height)

    def check_takes(self, argument: str) -> None:
        """Raise InvalidInput for an argument that the wrapped pipeline's call does not have."""
        if not takes(self._pipe, argument):
            raise InvalidInput(argument, f"a {type(self._pipe).__name__} takes none")

    def draw(
        self,
        call: Mapping[str, Any],
        method: Method = Method.SUBSTITUTE,
        decisions: Sequence[Decision] | None = None,
        *,
        stages: Stages | None = None,
        on_step: OnStep | None = None,
    ) -> Drawing:
        """Check, draw and verify one pipeline call.

        `decisions` are the prompts' decisions where they are known already. `stages` gets the
        seconds per stage. `on_step` is called after every denoising step with (steps done, steps in
        all), again from 1 on each rung; an exception that it raises stops the call there, and
        nothing is decoded. Raises Blocked, and InvalidInput for text that
        cannot be checked.
        """
        with exclusive(self._shared()), computing():
            if plain(self._adapter.denoiser(self._pipe)) is not self._matched:
                # For the first time, or it was exchanged behind the guard's back.
                self._match_denoiser(another=self._matched is not None)
            self._refuse_processors()
            usual = self._manifest.call if self._manifest else {}
            called = PictureCall(
                self._parts,
                self,
                {**{k: v for k, v in usual.items() if takes(self._pipe, k)}, **call},
                method,
                stages or Stages(),
            )
            called.check(decisions)
            output = called.draw(on_step)
            self._refuse_processors()  # a callback may have put one there
        return Drawing(output=output, rows=tuple(called.rows))

    def _shared(self) -> Iterator[Any]:
        """What a call edits or sets, and other pipelines may hold as well: all of the pipeline's parts."""
        yield self._pipe
        yield from self._pipe.components.values()

    def _match_denoiser(self, *, another: bool = False) -> None:
        """See that the manifest is the denoiser's; where that is another one, take the one that is."""
        denoiser = plain(self._adapter.denoiser(self._pipe))
        self._refuse_processors()
        names = self._adapter.site_names(self._pipe)
        if self._manifest and (found := list(self._manifest.differences(denoiser, names, None))):
            if not another:
                raise ManifestError(
                    f"the manifest {self._manifest.name!r} does not fit this model: {'; '.join(found)}"
                )
            self._parts = replace(self._parts, manifest=manifest_for(self._pipe, None))
        self._matched = denoiser

    def _refuse_processors(self) -> None:
        for part in (self._adapter.denoiser(self._pipe), getattr(self._pipe, "controlnet", None)):
            if isinstance(part, nn.Module):
                refuse_foreign_processors(part, self._adapter.processors)

    def _around(self, pipe: Any) -> GuardedPipeline:
        """The same guard around another pipeline."""
        parts = self._parts
        return GuardedPipeline(
            pipe,
            parts.checker,
            manifest=parts.manifest,
            reader=parts.reader,
            token_texts=parts.token_texts,
        )

    def _named(self, args: tuple[Any, ...], call: Mapping[str, Any]) -> dict[str, Any]:
        """Positional arguments by the names that the pipeline's class gives them."""
        names = [*inspect.signature(type(self._pipe).__call__).parameters][1:]
        if len(args) > len(names):
            raise InvalidInput("arguments", f"at most {len(names)} can be told apart by position")
        named = dict(zip(names, args, strict=False))
        if twice := sorted(named.keys() & call.keys()):
            raise InvalidInput(twice[0], "given by position and by name")
        return {**named, **call}

    def _still_guarded(self, value: Any) -> Any:
        """What came out of the pipeline, with this guard in the pipeline's place."""
        if value is self._pipe:
            return self
        if isinstance(value, tuple | list) and any(one is self._pipe for one in value):
            kept = [self._still_guarded(one) for one in value]
            return kept if isinstance(value, list) else tuple(kept)
        if inspect.ismethod(value) and value.__self__ is self._pipe:
            return self._method(value)
        return value

    def _method(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def guarded(*args: Any, **named: Any) -> Any:
            # It may change what another thread draws with; a callback's own thread is between two steps.
            with exclusive(self._shared(), again=True):
                return self._still_guarded(method(*args, **named))

        # For help() and inspect.signature(), and not the bare pipeline's method itself.
        own: Any = guarded
        own.__signature__ = inspect.signature(method)
        del own.__wrapped__
        return guarded


def wrap(
    pipe: Any,
    *,
    policy: Path | Policy | None = None,
    manifest: Manifest | None = None,
    folder: Path | None = None,
    fallback: bool = False,
    unreached: bool = False,
    token_texts: Mapping[str, str] | None = None,
    reader: Reader | str | None = None,
) -> GuardedPipeline:
    """Guard a loaded diffusers pipeline; the result is used like the pipeline itself.

    The manifest is looked for in `folder` (that which the pipeline was loaded from, if it is still there) and
    among the shipped ones unless given. Its digest is compared with the weights in that folder. A model without
    one raises UnsupportedModel, or, with `fallback`, is guarded by whole-prompt swap; one whose
    manifest missed its goal raises ManifestError, or, with `unreached`, is taken. `token_texts` says
    what tokens of textual inversion stand for, which is then checked in their place. `reader` reads pictures back
    in place of the policy's engines: one of your own, which reads under `verify: false` too, or the name of one
    (`inkguard.verify.ENGINES`).

    Raises PolicyError, ManifestError, SubstitutionError for a denoiser that cannot be edited
    (fused projections, a cache, an attention processor of one's own), and VerificationError where
    OCR is wanted and not installed. Example::

        guarded = wrap(pipe, folder=Path("my-model"), policy=Path("shop.yaml")).to("cuda")
        image = guarded('a sign that says "HELLO"').images[0]
    """
    _refuse_guarded(pipe)
    checker = load_checker(policy)
    chosen = manifest_for(
        pipe,
        folder or loaded_from(pipe),
        given=manifest,
        fallback=fallback,
        unreached=unreached,
    )
    guarded = GuardedPipeline(
        pipe,
        checker,
        manifest=chosen,
        reader=reader_for(checker.policy, reader),
        token_texts=token_texts,
    )
    guarded.refuse_unsupported()  # now, and not with the first prompt
    return guarded


def _refuse_guarded(pipe: Any) -> None:
    if type(pipe) is GuardedPipeline:
        raise UnguardedUse("the pipeline is guarded already: wrap the bare one")


def _is_part(value: Any) -> bool:
    """Whether a value is something that a pipeline draws with, and no number, name or switch."""
    return value is not None and not isinstance(value, str | bool | int | float | torch.Tensor)
