"""Edits of policies while the server runs."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inkguard.errors import PolicyError, SubstitutionError
from inkguard.policy import load
from inkguard.types import Action, Request
from inkguard.wire.v1 import guard_pb2 as pb
from inkguard_server.engines.local import LocalEngine
from inkguard_server.engines.policies import Policies
from inkguard_server.settings import Settings, SettingsError, load_settings
from tests.server.conftest import Kept, until

if TYPE_CHECKING:
    from tests.server.conftest import Live, Loop

PROMPT = 'a sign that says "IDIOT"'
SECRET = "flibbertigibbet"


def write(folder: Path, action: str, *, name: str = "small", more: str = "") -> Path:
    """A policy of two files, without classifier and OCR."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "words.yaml").write_text(
        f"category: insult\nrules:\n  mild: {{severity: mild, action: {action}, terms: [idiot]}}\n"
    )
    path = folder / "policy.yaml"
    path.write_text(
        f"apiVersion: inkguard/v1\nname: {name}\nversion: '{action}'\nverify: false\n"
        "categories: {insult: rude}\nwordlists: [words.yaml]\n"
        f"replacements: {{words: {{5: [apple]}}}}\n{more}"
    )
    return path


def decided(policies: Policies) -> str:
    return str(policies.checkers()["small"].check(PROMPT).action)


def test_nothing_changed(tmp_path: Path) -> None:
    """Files that hold what they held are not read again as a policy, though they were written."""
    policies = Policies([write(tmp_path, "flag")])
    before = policies.checkers()
    write(tmp_path, "flag")
    assert policies.refresh() == []
    assert policies.checkers() == before


@pytest.mark.parametrize("file", ["policy.yaml", "words.yaml"])
def test_an_edit_is_taken(tmp_path: Path, file: str) -> None:
    """Of the policy or of a file that it names, once; digest and time say so."""
    policies = Policies([write(tmp_path, "flag")])
    before = policies.infos()["small"]
    path = tmp_path / file
    path.write_text(path.read_text().replace("flag", "block"))
    assert [(r.name, r.error) for r in policies.refresh()] == [("small", "")]
    assert policies.refresh() == []
    after = policies.infos()["small"]
    assert after.digest != before.digest
    assert after.loaded > before.loaded
    assert decided(policies) == ("block" if file == "words.yaml" else "flag")


def test_a_broken_edit_leaves_the_last_good_policy(tmp_path: Path) -> None:
    """It is told once, without a term, and taken when it is mended."""
    policies = Policies([write(tmp_path, "flag")])
    good = policies.infos()["small"]
    words = tmp_path / "words.yaml"
    words.write_text(words.read_text() + f"  more: {{severity: mild, trems: [{SECRET}]}}\n")
    (reload,) = policies.refresh()
    assert f"{words}:4:26: unknown key; " in reload.error
    assert "did you mean terms?" in reload.error
    assert SECRET not in reload.error
    assert policies.refresh() == []
    info = policies.infos()["small"]
    assert (info.digest, info.loaded, info.error) == (good.digest, good.loaded, reload.error)
    assert info.failed >= good.loaded
    assert decided(policies) == "flag"
    words.write_text(words.read_text().replace("trems", "action: flag, terms"))
    assert [r.error for r in policies.refresh()] == [""]
    assert policies.infos()["small"].error == ""


def test_a_file_that_comes_back(tmp_path: Path) -> None:
    """A missing file is a broken edit; the same file again is the policy that was in force."""
    policies = Policies([write(tmp_path, "flag")])
    digest = policies.infos()["small"].digest
    words = tmp_path / "words.yaml"
    text = words.read_text()
    words.unlink()
    (reload,) = policies.refresh()
    assert "the file named here cannot be read: No such file" in reload.error
    words.write_text(text)
    assert [r.error for r in policies.refresh()] == [""]
    assert policies.infos()["small"].digest == digest


def test_a_kubernetes_config_map(tmp_path: Path) -> None:
    """Its files are links through `..data`, which is swapped for another folder in one step."""
    mount = tmp_path / "mount"
    write(mount / "..2026_01", "flag")
    write(mount / "..2026_02", "block")
    (mount / "..data").symlink_to("..2026_01")
    for name in ("policy.yaml", "words.yaml"):
        (mount / name).symlink_to(f"..data/{name}")
    policies = Policies([mount / "policy.yaml"])
    assert decided(policies) == "flag"
    (mount / "..data_tmp").symlink_to("..2026_02")
    os.replace(mount / "..data_tmp", mount / "..data")
    assert [r.error for r in policies.refresh()] == [""]
    assert decided(policies) == "block"


def test_an_edit_that_goes_on_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a file changes while others are read, no mixture of old and new is taken."""
    policies = Policies([write(tmp_path, "flag")])
    words = tmp_path / "words.yaml"
    (tmp_path / "policy.yaml").write_text((tmp_path / "policy.yaml").read_text() + "\n")
    parse = load.parse

    def slow(path: Path, data: bytes) -> Any:
        if path == words and "block" not in words.read_text():
            words.write_text(words.read_text().replace("flag", "block"))
        return parse(path, data)

    monkeypatch.setattr(load, "parse", slow)
    assert policies.refresh() == []
    assert decided(policies) == "flag"
    assert [r.error for r in policies.refresh()] == [""]
    assert decided(policies) == "block"


def test_a_policy_keeps_its_name(tmp_path: Path) -> None:
    """Requests ask for it by that; and two of one name are refused at the start."""
    path = write(tmp_path, "flag")
    policies = Policies([path])
    write(tmp_path, "block", name="other")
    (reload,) = policies.refresh()
    assert reload.error.endswith("a policy keeps its name while the server runs: it was small")
    with pytest.raises(SettingsError, match="two policies have the same name"):
        Policies([path, path])
    with pytest.raises(PolicyError, match=r"none\.yaml:1:1: "):
        Policies([tmp_path / "none.yaml"])


@pytest.fixture
def own(loop: Loop, tmp_path: Path) -> Iterator[LocalEngine]:
    """An engine with a policy that the test edits."""
    engine = LocalEngine(load_settings(threads=1, policies=(write(tmp_path / "p", "flag"),)))
    yield engine
    loop.run(engine.close())


def test_a_server_takes_edits_and_tells(
    own: LocalEngine, serve: Callable[..., Live], tmp_path: Path
) -> None:
    """In decisions, the status, the metrics and the log; a request keeps the policy that it began with."""
    live = serve(Kept(own), metrics="127.0.0.1:0", policy_poll_seconds=0.1)
    ask = pb.CheckPromptRequest(prompt=PROMPT)
    first = live.stub.CheckPrompt(ask).decision
    assert first.action == pb.ACTION_FLAG
    (status,) = live.stub.GetStatus(pb.GetStatusRequest()).policies
    assert (status.name, status.version, status.digest) == ("small", "flag", first.policy.digest)
    assert (status.error, status.HasField("failed")) == ("", False)

    write(tmp_path / "p", "block")
    until(lambda: live.samples()["inkguard_policy_reloads_total{result=success}"] == 1)
    second = live.stub.CheckPrompt(ask, metadata=(("x-request-id", "second"),)).decision
    assert second.action == pb.ACTION_BLOCK
    assert second.policy.digest != first.policy.digest
    assert live.record("second")["policy"] == {
        **{"name": "small", "version": "block", "digest": second.policy.digest}
    }
    samples = live.samples()
    in_force = [k for k in samples if k.startswith("inkguard_policy_info{")]
    assert in_force == [
        f"inkguard_policy_info{{digest={second.policy.digest},policy=small,version=block}}"
    ]
    assert samples["inkguard_policy_loaded_timestamp_seconds{policy=small}"] == pytest.approx(
        own.policies["small"].loaded
    )

    write(tmp_path / "p", "block", more=f"colour: {SECRET}\n")
    until(lambda: live.samples()["inkguard_policy_reloads_total{result=failure}"] == 1)
    assert live.samples()["inkguard_policy_edit_refused{policy=small}"] == 1
    assert live.stub.CheckPrompt(ask).decision.policy == second.policy
    (status,) = live.stub.GetStatus(pb.GetStatusRequest()).policies
    assert status.digest == second.policy.digest
    assert ":8:1: unknown key" in status.error
    assert SECRET not in status.error
    assert status.failed.seconds >= status.loaded.seconds > 0


def test_requests_go_on_while_a_policy_is_compiled(
    own: LocalEngine, serve: Callable[..., Live], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading is off the serving path, and what is in force is swapped at its end."""
    live = serve(Kept(own), policy_poll_seconds=0.1)
    reached, go_on = threading.Event(), threading.Event()
    words = load.Matcher

    def slow(*args: Any, **more: Any) -> Any:
        reached.set()
        assert go_on.wait(30)
        return words(*args, **more)

    monkeypatch.setattr(load, "Matcher", slow)
    write(tmp_path / "p", "block")
    assert reached.wait(30)
    ask = pb.CheckPromptRequest(prompt=PROMPT)
    assert live.stub.CheckPrompt(ask, timeout=10).decision.action == pb.ACTION_FLAG
    go_on.set()
    until(lambda: live.stub.CheckPrompt(ask).decision.action == pb.ACTION_BLOCK)


def test_an_edit_that_cannot_be_put_in_force_at_once_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policies know of it already; the engine goes on with the one before, and tries at the next look."""
    engine = LocalEngine(Settings(policies=(write(tmp_path, "substitute"),)))
    try:
        in_force = engine._in_force
        write(tmp_path, "block")

        def fail() -> Any:
            raise SubstitutionError("not now")

        monkeypatch.setattr(engine, "_in_force", fail)
        with pytest.raises(SubstitutionError):
            asyncio.run(engine.refresh_policies())
        assert engine.policies["small"].version == "substitute"
        monkeypatch.setattr(engine, "_in_force", in_force)
        (told,) = asyncio.run(engine.refresh_policies())
        assert (told.name, told.error) == ("small", "")
        assert engine.policies["small"].version == "block"
        assert asyncio.run(engine.refresh_policies()) == []
    finally:
        asyncio.run(engine.close())


def test_an_edit_comes_into_force_while_a_picture_is_being_drawn(tmp_path: Path) -> None:
    """The model's own processors are in others' hands then; the new guard waits for nobody."""
    engine = LocalEngine(Settings(policies=(write(tmp_path, "substitute"),)))
    found: list[str] = []

    def on_step(done: int, _total: int) -> None:
        if done == 1:
            write(tmp_path, "block")
            found.extend(r.error for r in asyncio.run(engine.refresh_policies()))

    try:
        (guard,) = engine._now.guards.values()
        outcome = guard.generate(Request(prompt=PROMPT, steps=2), on_step=on_step)
        assert outcome.decision.action is Action.SUBSTITUTE
        assert found == [""]
        assert engine.policies["small"].version == "block"
    finally:
        asyncio.run(engine.close())
