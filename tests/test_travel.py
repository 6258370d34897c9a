"""Records and errors go to another process and back, and are copied, as what they are."""

from __future__ import annotations

import copy
import dataclasses
import json
import multiprocessing
import pickle
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import inkguard.types
import inkguard.wire.records
from inkguard.check.checker import Checker
from inkguard.errors import Blocked, GuardError
from inkguard.manifests.manifest import load_manifest, shipped_manifests
from inkguard.policy.load import load_policy
from inkguard.policy.model import Policy
from tests.travel import WAYS, every_error, made_up

DETECT = Path(__file__).parent / "data" / "detect.jsonl"
ERRORS = every_error()
RECORDS = [
    kind
    for module in (inkguard.types, inkguard.wire.records)
    for kind in vars(module).values()
    if dataclasses.is_dataclass(kind)
    and isinstance(kind, type)
    and kind.__module__ == module.__name__
]


def fields_of(error: Any) -> dict[str, Any]:
    """What an error says and holds; `args` is what `BaseException` keeps of its making."""
    names = getattr(type(error), "__slots__", ())
    return {
        "str": str(error),
        "args": error.args,
        **{key: value for key, value in vars(error).items() if key != "_made_with"},
        **{name: getattr(error, name) for name in names},
    }


def raised(error: BaseException) -> None:
    """In a worker."""
    raise error


def raised_there(kind: type) -> None:
    """In a worker, which also makes the error: nothing was pickled on the way in."""
    raise made_up(kind)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_record_travels(kind: type, way: Callable[[Any], Any]) -> None:
    """Pickled with any protocol, copied or copied deeply, a record is equal to what it was."""
    record = made_up(kind)
    back = way(record)
    assert type(back) is kind
    assert back == record


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_record_is_a_dict_where_one_is_wanted(kind: Any) -> None:
    """`asdict` names every field, and `replace` with nothing to replace changes nothing."""
    record = made_up(kind)
    assert list(dataclasses.asdict(record)) == [f.name for f in dataclasses.fields(kind)]
    assert dataclasses.replace(record) == record


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_travels(kind: type, way: Callable[[Any], Any]) -> None:
    """Its message, its fields and the notes that were added to it arrive."""
    error = made_up(kind)
    error.add_note("in the third row")
    back = way(error)
    assert type(back) is kind
    assert fields_of(back) == fields_of(error)
    assert traceback.format_exception_only(back) == traceback.format_exception_only(error)


@pytest.fixture(scope="module", params=["fork", "spawn"])
def pool(request: pytest.FixtureRequest) -> Iterator[ProcessPoolExecutor]:
    """One worker process, which every test below finds alive."""
    if request.param not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {request.param} here")
    context = multiprocessing.get_context(request.param)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        yield pool
        assert pool.submit(int).result(100) == 0


def test_an_error_in_a_worker_arrives_as_itself(pool: ProcessPoolExecutor) -> None:
    """Every error of the packages, raised in one and the same worker process."""
    for kind in ERRORS:
        calls = [partial(raised_there, kind)]
        if issubclass(kind, GuardError):
            calls.append(partial(raised, made_up(kind)))
        for call in calls:
            with pytest.raises(kind) as caught:
                pool.submit(call).result(200)
            assert type(caught.value) is kind
            assert fields_of(caught.value) == fields_of(made_up(kind))


def test_an_error_of_a_users_own_travels() -> None:
    """The tree's root does it: a class that knows nothing of pickling may have any arguments."""
    error = UsersOwn(3, more=("a", "b"))
    error.seen = 5
    back = pickle.loads(pickle.dumps(error))
    assert (back.number, back.more, back.seen, str(back)) == (3, ("a", "b"), 5, "number 3")
    assert copy.copy(back).more == ("a", "b")


class UsersOwn(GuardError):
    """Made with other things than its message."""

    def __init__(self, number: int, *, more: tuple[str, ...] = ()) -> None:
        super().__init__(f"number {number}")
        self.number, self.more, self.seen = number, more, 0


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_every_shipped_manifest_travels(way: Callable[[Any], Any]) -> None:
    """With its nested evidence."""
    for path in shipped_manifests():
        manifest = load_manifest(path)
        assert way(manifest) == manifest
        assert dataclasses.asdict(manifest)["evidence"] == manifest.evidence


@pytest.fixture(scope="module")
def policy() -> Policy:
    """The shipped policy, by its word lists alone."""
    return dataclasses.replace(load_policy(None), detoxify={})


@pytest.fixture(scope="module")
def prompts() -> list[str]:
    """Every 25th text of the detection set: several hundred, of all of its kinds."""
    with DETECT.open(encoding="utf-8") as lines:
        return [json.loads(line)["prompt"] for line in list(lines)[::25]]


@pytest.mark.parametrize("way", [WAYS["pickle 2"], WAYS["deepcopy"]], ids=["pickle", "deepcopy"])
def test_a_policy_that_travelled_decides_as_before(
    way: Callable[[Any], Any], policy: Policy, prompts: list[str]
) -> None:
    """Decisions are equal to the last offset, and so is the policy."""
    back = way(policy)
    assert back == policy
    decisions = Checker(policy, None).check_many(prompts)
    assert len({d.action for d in decisions}) > 1
    assert Checker(back, None).check_many(prompts) == decisions


def test_a_policy_goes_to_a_worker_and_its_block_comes_back(
    policy: Policy, pool: ProcessPoolExecutor
) -> None:
    """A pool of processes gets a policy as an argument; the decision travels in the error."""
    prompt = 'a sign that says "DUNCE"'
    expected = Checker(policy, None).check(prompt)
    with pytest.raises(Blocked) as caught:
        pool.submit(block, policy, prompt).result(200)
    assert caught.value.decision == expected


def block(policy: Policy, prompt: str) -> None:
    """In a worker."""
    raise Blocked(Checker(policy, None).check(prompt))


def test_a_policy_is_a_dict_where_one_is_wanted(policy: Policy) -> None:
    """`asdict` and `copy` take a policy with all of its compiled parts."""
    told = dataclasses.asdict(policy)
    assert told["name"] == policy.name
    assert told["categories"] == policy.categories
    assert copy.copy(policy) == policy
