"""The error that names the extra where a package is missing."""

from __future__ import annotations

import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from inkguard.errors import MissingExtra
from inkguard.extras import PACKAGES, needs_extra

ROOT = Path(__file__).parents[1]


def test_a_missing_package_is_told_with_its_extra_and_the_way_without_it() -> None:
    """Also where a submodule of it is imported."""
    with (
        pytest.raises(MissingExtra) as caught,
        needs_extra("draw", "drawing", "check with the word lists alone"),
    ):
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")
    assert str(caught.value) == (
        "drawing needs torch: pip install 'inkguard[draw]', or check with the word lists alone"
    )
    assert caught.value.extra == "draw"


@pytest.mark.parametrize("name", ["inkguard.no_such_module", "yaml", None])
def test_what_no_extra_brings_stays_the_failure_that_it_is(name: str | None) -> None:
    """A defect of inkguard's own is not an installation to mend."""
    with pytest.raises(ModuleNotFoundError), needs_extra("draw", "drawing"):
        raise ModuleNotFoundError(name=name)


def test_every_package_of_the_extras_is_known() -> None:
    """What pyproject.toml lists for the extras that products use, and huggingface_hub, which comes with them."""
    pytest.importorskip("skimage", reason="the extras are not installed here")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    wanted = {
        requirement.partition(">")[0].lower().replace("_", "-")
        for extra in ("classifier", "draw", "if", "measure", "ocr", "server")
        for requirement in extras[extra]
        if not requirement.startswith("inkguard[")
    }
    known = {
        distribution.lower().replace("_", "-")
        for module, distributions in packages_distributions().items()
        if module in PACKAGES
        for distribution in distributions
    }
    assert known == wanted | {"huggingface-hub"}
