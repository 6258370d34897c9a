"""Which engines there are, and which of them a policy asks for."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from inkguard.draw.guarded_pipeline import wrap
from inkguard.errors import Blocked, VerificationError
from inkguard.guard import Guard
from inkguard.policy.load import load_policy
from inkguard.types import VerifyWith
from inkguard.verify import (
    DEFAULT_ENGINES,
    ENGINES,
    RapidReader,
    TesseractReader,
    UnionReader,
    default_reader,
    engines,
    reader_for,
    reader_named,
    readers,
)
from tests.verify.test_policies import POLICY
from tests.verify.test_reading import poster

MODULES = {
    "ppocr-v4-fine": "rapidocr_onnxruntime",
    "ppocr-v4": "rapidocr_onnxruntime",
    "ppocr-v6": "rapidocr",
}


@pytest.fixture
def unloaded() -> Iterator[None]:
    """No engine is loaded, and those that a test loads are forgotten."""
    default_reader.cache_clear()
    engines._made.cache_clear()
    yield
    default_reader.cache_clear()
    engines._made.cache_clear()


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    """The message lists what there is."""
    with pytest.raises(VerificationError, match="'ppocr-v9'; there are: ppocr-v4, ppocr-v6, "):
        reader_named("ppocr-v9")
    with pytest.raises(VerificationError, match="no OCR engine is asked for"):
        readers([])


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_missing_package_is_said(
    name: str, monkeypatch: pytest.MonkeyPatch, unloaded: None
) -> None:
    """With the package's import blocked, the error names it and the extra."""
    monkeypatch.setitem(sys.modules, MODULES[name], None)
    with pytest.raises(VerificationError, match=r"missing\): pip install 'inkguard\[ocr\]'"):
        reader_named(name)


def test_a_wheel_without_the_model_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unloaded: None
) -> None:
    """Another version of the package holds other models, and would download this one."""
    import rapidocr

    monkeypatch.setattr(rapidocr, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(VerificationError, match=r"has no PP-OCRv6_det_small\.onnx: pip install"):
        reader_named("ppocr-v6")


def test_a_missing_tesseract_is_said(monkeypatch: pytest.MonkeyPatch, unloaded: None) -> None:
    """The error says what to install."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(VerificationError, match="apt-get install tesseract-ocr"):
        reader_named("tesseract")


def test_a_failing_tesseract_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that ends with an error has read nothing."""
    program = tmp_path / "tesseract"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    reader = TesseractReader()
    monkeypatch.undo()
    with pytest.raises(VerificationError, match=r"Tesseract failed \(CalledProcessError\)"):
        reader.read(poster("WELCOME"))


def test_engines_are_loaded_once() -> None:
    """Models take a second and a hundred megabytes; every policy shares them."""
    for name in ("ppocr-v4", "ppocr-v6"):
        assert reader_named(name) is reader_named(name)
    assert default_reader() is default_reader()


def test_measurements_keep_their_engine() -> None:
    """Published figures were read by PP-OCRv4 as its wheel sets it, whatever verification does."""
    reader = default_reader()
    assert isinstance(reader, RapidReader)
    sizing = reader._ocr.text_det.get_preprocess(512)
    assert (sizing.limit_type, sizing.limit_side_len) == ("min", 736)


def test_a_policy_gets_the_readers_that_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """`true`: the default set; `all`: every engine; `false`: none."""
    policy = load_policy()
    union = reader_for(policy)
    assert isinstance(union, UnionReader)
    assert union.names == DEFAULT_ENGINES
    assert reader_for(replace(policy, verify=False)) is None
    monkeypatch.setattr(engines, "reader_named", lambda _: default_reader())
    union = reader_for(replace(policy, verify_with=VerifyWith.ALL))
    assert isinstance(union, UnionReader)
    assert union.names == tuple(ENGINES)


class Stubborn:
    """An engine of one's own, which reads the same toxic word in every picture."""

    def read(self, image: Image.Image) -> str:
        return "IDIOT"


def test_an_engine_of_ones_own_reads_by_its_name(
    guard: Guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One class and one entry: `wrap` finds it by name or takes it as it is, and what it reads counts."""
    monkeypatch.setitem(ENGINES, "stubborn", Stubborn)
    shop = tmp_path / "shop.yaml"
    shop.write_text(POLICY)
    for reader in ("stubborn", Stubborn()):
        guarded = wrap(guard.pipeline._pipe, policy=shop, manifest=guard.manifest, reader=reader)
        with pytest.raises(Blocked, match="toxic_text_in_picture"):
            guarded(prompt='a sign that says "IDIOT"', num_inference_steps=1)
    with pytest.raises(VerificationError, match=r"'stubbron'; there are: .*stubborn"):
        wrap(guard.pipeline._pipe, policy=shop, manifest=guard.manifest, reader="stubbron")


def test_a_policy_that_asks_for_no_verification_gets_no_reader() -> None:
    """Whichever is named: that says which engine reads, and the policy says whether one does.

    A reader that is handed in is asked all the same: nobody's check is dropped without a word.
    """
    policy, own = load_policy(), Stubborn()
    assert reader_for(replace(policy, verify=False), own) is own
    assert reader_for(replace(policy, verify=False), "ppocr-v4") is None
    assert reader_for(policy, "ppocr-v4") is reader_named("ppocr-v4")


def test_a_strict_policy_fails_where_an_engine_is_missing(
    monkeypatch: pytest.MonkeyPatch, unloaded: None
) -> None:
    """`all` is a promise: it does not go on with the engines that happen to be installed."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    policy = replace(load_policy(), verify_with=VerifyWith.ALL)
    with pytest.raises(VerificationError, match="Tesseract is not installed"):
        reader_for(policy)
