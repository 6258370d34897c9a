"""Every flagged row or an error, and one edit at a time, whoever draws with a denoiser."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch

from inkguard.edit.cross_attention import CrossText
from inkguard.edit.rows import FlaggedPrompt, flagged_prompts, merge_alike
from inkguard.errors import SubstitutionError
from inkguard.families.flux.edit import FluxShadow
from inkguard.families.sd3.edit import Sd3Shadow
from tests.edit import flux, sd3, test_cross_attention

FAMILIES: dict[str, tuple[Callable[[], Any], Any]] = {
    "cross": (lambda: test_cross_attention.make("sdxl"), CrossText),
    "sd3": (sd3.make, Sd3Shadow),
    "flux": (flux.make, FluxShadow),
}
EVERY = pytest.mark.parametrize("family", FAMILIES)


def edit_of(family: str, batch: Any, **more: Any) -> Any:
    return FAMILIES[family][1](batch.model, (1,), batch.flagged(), **more)


def new(family: str) -> Any:
    return FAMILIES[family][0]()


@EVERY
def test_a_flagged_row_that_no_longer_matches_is_an_error(family: str) -> None:
    """Though another one does: its last bit is enough."""
    batch = new(family)
    text = batch.text.clone()
    text[3, 0, 0] = torch.nextafter(text[3, 0, 0], text[3, 0, 0] + 1)
    with pytest.raises(SubstitutionError, match="should have some"), edit_of(family, batch):
        batch.run(text)


@EVERY
def test_each_prompt_has_the_rows_that_it_should_have(family: str) -> None:
    """One of two pictures of a prompt that stops matching is an error, and so is one too many."""
    batch = new(family)
    with edit_of(family, batch, pictures=1):
        batch.run()
    for rows, found in (([2, 2, 2, 3], 3), ([2, 0, 3, 3], 1)):
        with (
            pytest.raises(SubstitutionError, match=f"{found} rows .* should have 2"),
            edit_of(family, batch, pictures=2),
        ):
            batch.run(batch.text[rows])
    with edit_of(family, batch, pictures=2):
        batch.run(batch.text[[2, 2, 3, 3]])


@EVERY
def test_a_call_of_negative_prompts_alone_is_no_miss(family: str) -> None:
    """True guidance calls the denoiser twice a step, once with rows of no flagged prompt."""
    batch = new(family)
    with edit_of(family, batch, pictures=1):
        batch.run()
        batch.run(batch.text[[0, 1, 0, 1]])


def test_rows_that_read_alike_are_refused_unless_all_are_flagged() -> None:
    """They would be edited together, and one of them reported as unguarded."""
    own = torch.randn(3, 4, 5)
    own[2] = own[0]
    donor = torch.randn(3, 4, 5)
    donor[2] = donor[0]
    with pytest.raises(
        SubstitutionError, match="prompt 0 is flagged, and the encoder reads prompt 2"
    ):
        flagged_prompts(own, donor, [0, 1])
    flagged = flagged_prompts(own, donor, [0, 2])
    assert [count for _, count in merge_alike(flagged)] == [2]
    assert [count for _, count in merge_alike(flagged_prompts(own, donor, [0, 1, 2]))] == [2, 1]


def test_prompts_that_read_alike_need_one_donor() -> None:
    """Which row should read which could not be told: donor, pooled text and mask are compared."""
    own, donor = torch.randn(4, 5), torch.randn(4, 5)
    first = FlaggedPrompt(own, donor, torch.ones(3), torch.ones(4))
    for other in (
        FlaggedPrompt(own, donor + 1, torch.ones(3), torch.ones(4)),
        FlaggedPrompt(own, donor, torch.zeros(3), torch.ones(4)),
        FlaggedPrompt(own, donor, torch.ones(3), torch.zeros(4)),
        FlaggedPrompt(own, donor),
    ):
        with pytest.raises(SubstitutionError, match="read alike and their donors do not"):
            merge_alike([first, other])


@EVERY
def test_a_denoiser_holds_one_edit(family: str) -> None:
    """A second one in the same thread is refused, and the first goes on."""
    batch = new(family)
    expected = _drawn(batch, edit_of(family, batch))
    with edit_of(family, batch):
        with pytest.raises(SubstitutionError, match="one edit at a time"), edit_of(family, batch):
            pass
        assert torch.equal(batch.run(), expected)


@EVERY
def test_other_threads_wait_for_the_end_of_an_edit(family: str) -> None:
    """Those with an edit of their own, and those that merely call the denoiser: each gets its own picture."""
    batch = new(family)
    bare, edited = batch.run(), _drawn(batch, edit_of(family, batch))
    started, found = threading.Event(), {}

    def call_it() -> None:
        started.set()
        found["bare"] = batch.run()

    def edit_it() -> None:
        found["edited"] = _drawn(batch, edit_of(family, batch))

    with edit_of(family, batch):
        threads = [threading.Thread(target=t, daemon=True) for t in (call_it, edit_it)]
        for thread in threads:
            thread.start()
        assert started.wait(60)
        own = batch.run()
        assert not found
    for thread in threads:
        thread.join(60)
    assert torch.equal(own, edited)
    assert torch.equal(found["bare"], bare)
    assert torch.equal(found["edited"], edited)


@EVERY
def test_a_call_that_began_before_the_edit_goes_on_unedited(family: str) -> None:
    """Its later layers run while the hooks of the edit are on them."""
    batch = new(family)
    bare, edited = batch.run(), _drawn(batch, edit_of(family, batch))
    inside, go, found = threading.Event(), threading.Event(), {}
    main = threading.get_ident()

    def pause(*_: Any) -> None:
        if threading.get_ident() != main:
            inside.set()
            assert go.wait(60)

    first = next(m for n, m in batch.model.named_modules() if n.count(".") == 0 and n)
    hook = first.register_forward_hook(pause)
    thread = threading.Thread(target=lambda: found.update(bare=batch.run()), daemon=True)
    thread.start()
    assert inside.wait(60)
    with edit_of(family, batch):
        own = batch.run()
        go.set()
        thread.join(60)
        again = batch.run()
    hook.remove()
    assert torch.equal(found["bare"], bare)
    assert torch.equal(own, edited)
    assert torch.equal(again, edited)


def _drawn(batch: Any, edit: Any) -> torch.Tensor:
    with edit:
        return batch.run()
