"""What holds in every registered family: the properties of docs/guides/substitution.md, and the idioms of guard-stays.md.

The families are those of the register: the built-in ones, and that of `examples/my_family.py`, which is registered
here as a user would do it. The properties are shown on one call of the denoiser (recorded.py);
`test_every_class.py` shows them through whole pipelines of every class.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import accelerate
import numpy as np
import peft
import pytest
import torch
from diffusers.hooks import HookRegistry, ModelHook
from diffusers.models.attention_processor import Attention, AttnProcessor2_0, FusedAttnProcessor2_0

from examples.my_family import FAMILY
from inkguard.edit.processors import refuse_foreign_processors
from inkguard.errors import SubstitutionError
from inkguard.families import families, family_of, register_family
from inkguard.families.registry import substituted
from tests.draw.cases import REGISTERED, case_of, new_case
from tests.draw.idioms import IDIOMS
from tests.families.calls import DONORS, HARMLESS, SHORT, TOXIC, call, draw, plain
from tests.families.calls import snapshot as pipeline_snapshot
from tests.families.parts import sdxl_parts
from tests.families.pipelines import assembled
from tests.families.recorded import fresh, recorded, relative, snapshot

register_family(FAMILY)
REGISTERED["poster"] = lambda: assembled(FAMILY.pipelines[0], sdxl_parts())

EVERY = pytest.mark.parametrize("family", REGISTERED)
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The nets are so small that a second thread only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_every_registered_family_is_here() -> None:
    """One that is added to the register needs a small pipeline in pipelines.py, or in a test as above."""
    assert {family_of(case_of(name).pipe) for name in REGISTERED} == {*families()}


@EVERY
def test_a_manifest_names_what_tells_checkpoints_apart(family: str) -> None:
    """All `config` fields are the denoiser's, and the number of blocks is among them."""
    pipe = case_of(family).pipe
    known = family_of(pipe)
    denoiser = known.adapter.denoiser(pipe)
    assert isinstance(denoiser, known.denoiser)
    assert {*known.config} <= {*denoiser.config}
    assert {"num_layers", "block_out_channels"} & {*known.config}


@EVERY
def test_sites_are_in_the_order_in_which_the_model_runs_them(family: str) -> None:
    """As hooks on them see it."""
    call, fired = recorded(family), []
    sites = family_of(call.pipe).adapter.sites(call.pipe)
    hooks = [attn.register_forward_hook(lambda *_, n=name: fired.append(n)) for name, attn in sites]
    call.run()
    for hook in hooks:
        hook.remove()
    assert fired == [name for name, _ in sites]


@DTYPES
@EVERY
def test_the_prompts_own_text_changes_nothing(family: str, dtype: torch.dtype) -> None:
    """Property 1: bit by bit in cross-attention, but for rounding in joint attention."""
    call = recorded(family, dtype)
    plain = call.run()
    for sites in call.some():
        with call.edit(sites, donor=TOXIC):
            assert relative(call.run(), plain) <= call.tolerance


@DTYPES
@EVERY
def test_rows_that_are_not_flagged_are_bit_identical(family: str, dtype: torch.dtype) -> None:
    """Property 2: they equal those of an unguarded run of the same batch, and each flagged row moves."""
    call = recorded(family, dtype)
    plain, rows = call.run(), call.rows()
    assert 0 < len(rows) < len(plain)
    for sites in call.some():
        with call.edit(sites):
            edited = call.run()
        for row in range(len(plain)):
            assert torch.equal(edited[row], plain[row]) is (row not in rows)


@DTYPES
@EVERY
def test_all_sites_equal_the_donor_prompt(family: str, dtype: torch.dtype) -> None:
    """Property 3, with text that is folded in elsewhere held fixed, or swapped as well where that can be done."""
    call = recorded(family, dtype)
    pooled = family_of(call.pipe).adapter.has_pooled
    for swap in (False, True)[: 1 + pooled]:
        with call.edit(call.every, swap_pooled=swap):
            edited = call.run()
        expected = call.run_donor(pooled=swap)
        assert relative(edited, expected) <= call.tolerance
        assert relative(call.run(), expected) > 2 * relative(edited, expected)


@EVERY
def test_leaving_restores_the_model(family: str) -> None:
    """Property 4: nothing is left behind and outputs are the same, also after an exception in the denoiser."""
    call = recorded(family)
    before, plain = snapshot(call.denoiser), call.run()
    with call.edit((0, 1)):
        assert snapshot(call.denoiser) != before
        call.run()
    assert snapshot(call.denoiser) == before

    def explode(*_: object) -> None:
        raise ZeroDivisionError

    site = family_of(call.pipe).adapter.sites(call.pipe)[-1][1]
    handle = site.to_q.register_forward_pre_hook(explode)
    with pytest.raises(ZeroDivisionError), call.edit((0, call.every[-1])):
        call.run()
    handle.remove()
    assert snapshot(call.denoiser) == before
    assert torch.equal(call.run(), plain)


class Twice(torch.nn.Module):
    """Reads the text two times."""

    def __init__(self, attn: torch.nn.Module) -> None:
        super().__init__()
        self.attn = attn

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        self.attn(*args, **kwargs)
        return self.attn(*args, **kwargs)


@pytest.mark.parametrize("wrong", ["bypassed", "twice"])
@EVERY
def test_a_site_that_does_not_fire_once_is_an_error(family: str, wrong: str) -> None:
    """Property 5: another module in its place that knows nothing of the edit, or one that runs it two times."""
    call = fresh(family)
    name, attn = family_of(call.pipe).adapter.sites(call.pipe)[1]
    parent, _, own = name.rpartition(".")
    other = copy.deepcopy(attn) if wrong == "bypassed" else Twice(attn)
    edit = call.edit((0, 1))
    with edit:
        setattr(call.denoiser.get_submodule(parent), own, other)
        with pytest.raises(SubstitutionError, match=r"fired once|passed through|not be called"):
            call.run()


@EVERY
def test_a_step_in_which_no_row_matched_is_an_error(family: str) -> None:
    """Silence would be an unguarded picture; so would be a denoiser that never ran."""
    call = recorded(family)
    other = torch.randn_like(call.own[1]["encoder_hidden_states"])
    with pytest.raises(SubstitutionError, match="no row of a denoising step"), call.edit((0,)):
        call.run(encoder_hidden_states=other)
    with pytest.raises(SubstitutionError, match="never reached"), call.edit((0,)):
        pass


@EVERY
def test_another_call_of_the_step_is_left_alone(family: str) -> None:
    """True guidance calls the denoiser twice a step, once with rows of no flagged prompt."""
    call = recorded(family)
    bare = call.run_donor(pooled=True)
    with call.edit((0,)):
        assert torch.equal(call.run_donor(pooled=True), bare)
        call.run()


@EVERY
def test_steps_before_the_start_are_unedited(family: str) -> None:
    """With a start at step 1 the first value of the timestep is left alone, and the second is edited."""
    call = recorded(family)
    plain, later = call.run(), call.run_later()
    with call.edit((0,), start_step=1):
        assert torch.equal(call.run(), plain)
        assert not torch.equal(call.run_later(), later)


@EVERY
def test_a_denoiser_holds_one_edit(family: str) -> None:
    """Property 6: a second one in the same thread is refused, and the first goes on."""
    call = recorded(family)
    with call.edit((0,)):
        with pytest.raises(SubstitutionError, match="one edit at a time"), call.edit((1,)):
            raise AssertionError
        call.run()


def _fused(denoiser: Any, attn: Any) -> None:
    if isinstance(attn, Attention):
        attn.set_processor(FusedAttnProcessor2_0())
    else:
        attn.fused_projections = True


def _cached(denoiser: Any, attn: Any) -> None:
    HookRegistry.check_if_exists_or_initialize(attn).register_hook(ModelHook(), "cache")


@pytest.mark.parametrize(
    ("change", "message"), [(_fused, "has fused projections"), (_cached, "hook 'cache'")]
)
@EVERY
def test_what_could_skip_a_site_is_refused(
    family: str, change: Callable[[Any, Any], None], message: str
) -> None:
    """On entry, with the reason, and with nothing left behind. So are sites that do not exist, and other models."""
    call = fresh(family)
    adapter = family_of(call.pipe).adapter
    with pytest.raises(SubstitutionError, match=r"sites \[99\] do not exist"):
        adapter.edit.refuse_unsupported(call.denoiser, [99])
    with pytest.raises(SubstitutionError, match="Linear is not a plain"):
        adapter.edit.refuse_unsupported(torch.nn.Linear(1, 1), [0])
    change(call.denoiser, adapter.sites(call.pipe)[0][1])
    before = snapshot(call.denoiser)
    with pytest.raises(SubstitutionError, match=message), call.edit((0,)):
        raise AssertionError
    assert snapshot(call.denoiser) == before


class Regional(AttnProcessor2_0):
    """One that could bring text of its own, made of a stock one."""


@EVERY
def test_attention_processors_are_understood_or_refused_by_name(family: str) -> None:
    """The stock ones are; any other is refused wherever it sits, though it is derived from a stock one."""
    call = fresh(family)
    own = family_of(call.pipe).adapter.processors
    refuse_foreign_processors(call.denoiser, own)
    for name, module in call.denoiser.named_modules():
        stock = getattr(module, "processor", None)
        if stock is None:
            continue
        module.processor = Regional()
        with pytest.raises(SubstitutionError, match="Regional, which may bring text") as refused:
            refuse_foreign_processors(call.denoiser, own)
        assert str(refused.value).startswith(name)
        module.processor = stock


@EVERY
def test_weights_that_are_in_place_only_while_their_module_runs(family: str) -> None:
    """Sequential offloading: the edit asks for no weights outside of the modules that hold them."""
    call = fresh(family)
    with call.edit((1,)):
        expected = call.run()
    accelerate.cpu_offload(call.denoiser, torch.device("cpu"))
    assert any(p.is_meta for p in call.denoiser.parameters())
    with call.edit((1,)):
        assert torch.equal(call.run(), expected)


@EVERY
def test_a_lora_acts_on_the_donors_text_too(family: str) -> None:
    """With peft's layers on keys and values, all sites still equal the donor prompt."""
    call = fresh(family)
    layers = ["to_k", "to_v", "add_k_proj", "add_v_proj"]
    without = call.run()
    config = peft.LoraConfig(r=2, target_modules=layers, init_lora_weights=False)
    peft.inject_adapter_in_model(config, call.denoiser)
    assert not torch.equal(call.run(), without)
    with call.edit(call.every):
        edited = call.run()
    assert relative(edited, call.run_donor(pooled=False)) <= call.tolerance


@EVERY
def test_without_guidance_only_flagged_pictures_change(family: str) -> None:
    """Through the whole pipeline, three prompts of several lengths, with the public `substituted`."""
    pipe = case_of(family).pipe
    arguments = call(pipe, [HARMLESS, TOXIC, SHORT], guidance_scale=1.0)
    donors = [HARMLESS, DONORS["shorter"], SHORT]
    bare, before = plain(pipe, arguments), pipeline_snapshot(pipe)
    with substituted(pipe, arguments, donors, sites=[1]):
        edited = plain(pipe, arguments)
    for row in range(3):
        assert np.array_equal(edited[row], bare[row]) is (row != 1)
    assert pipeline_snapshot(pipe) == before
    assert np.array_equal(draw(pipe, arguments, (1,), [1], donors), edited)


@EVERY
def test_a_batch_without_a_flagged_prompt_is_the_bare_pipelines(family: str) -> None:
    """No model has a hook, processor or attribute more while the denoiser runs."""
    case = new_case(family)
    seen: list[dict[str, object]] = []
    _, site = family_of(case.pipe).adapter.sites(case.pipe)[1]
    site.register_forward_hook(lambda *_: seen.append(pipeline_snapshot(case.pipe)))
    plain(case.pipe, case.harmless)
    before = pipeline_snapshot(case.pipe)
    seen.clear()
    case.guarded(**case.harmless)
    # At least one forward of the site in each of the two steps.
    assert len(seen) >= 2
    assert all(state == before for state in seen)
    seen.clear()
    case.guarded(**case.mixed)
    assert len(seen) >= 2
    assert all(state != before for state in seen)
    assert pipeline_snapshot(case.pipe) == before


@pytest.mark.parametrize("name", IDIOMS)
@EVERY
def test_a_guarded_pipeline_is_used_like_a_pipeline(family: str, name: str) -> None:
    """Each idiom, in each family, does what its sentence says."""
    IDIOMS[name](new_case(family))
