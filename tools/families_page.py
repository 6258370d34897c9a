"""docs/reference/families.md, made of the built-in families and the shipped manifests: `python -m tools.families_page`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

from inkguard.families import BUILT_IN, Family
from inkguard.families import __doc__ as families_doc
from inkguard.families.unsupported import UNSUPPORTED, Unsupported
from inkguard.manifests.manifest import Manifest, load_manifest, shipped_manifests
from tools.sentence_lines import reflowed

__all__ = ["PATH", "page"]

PATH = Path(__file__).parents[1] / "docs" / "reference" / "families.md"

_HEAD = """\
# Pipeline families

This page lists the pipeline classes of diffusers that the guard takes, and why it refuses the others.
`make pages` makes it from `guard/inkguard/families/` and the shipped manifests.
A test holds that it is current, and that it misses no class of the installed diffusers whose call takes a prompt.

A class is supported if an adapter reads all of its text arguments and edits its denoiser.
Tests hold the [properties of substitution](../guides/substitution.md#what-holds) on that class with small random weights.
All other classes are refused by name, with the reason below.
Pipelines that are not diffusers' own classes and `ModularPipeline`s are refused too, since nobody knows which of their arguments carry text.

Sites are measured for a denoiser, not for a pipeline class.
If a manifest was measured with the family's text-to-image class, the other classes use it if their denoiser fits (`model.config`).
What the sites do in image-to-image, inpainting or under a ControlNet was not measured.
A model without a manifest is refused, or drawn by `prompt_swap` ([manifests](manifests.md)).

## Adding a family

A family is one folder in `guard/inkguard/families/` and one line in its `__init__.py`.
[Contributing](../../CONTRIBUTING.md#a-model-family) has the steps.
From outside of inkguard, a program calls `inkguard.families.register_family`, as `examples/my_family.py` does.
inkguard never registers a family by itself ([decision](../decisions/0003-families-are-registered-explicitly.md)).
`tests/families/test_conformance.py` runs the properties of substitution, and every idiom of [The guard stays](../results/guard-stays.md), on each registered family.
"""


def page() -> str:
    """The whole page, in Markdown."""
    manifests = [load_manifest(path) for path in shipped_manifests()]
    supported = sorted((str(name), family) for family in BUILT_IN for name in family.pipelines)
    refused = sorted((name, kind) for name, kind in UNSUPPORTED.items() if kind.denoiser)
    others = {name: kind for name, kind in UNSUPPORTED.items() if not kind.denoiser}
    lines = "\n".join(
        [
            _HEAD,
            *_starts(),
            f"\n## Supported ({len(supported)})\n",
            *_rows("Pipeline class", "Denoiser", "Family", "Sites measured"),
            *(
                _row(name, f.denoiser.__name__, f"`{f.name}`", _measured(name, f, manifests))
                for name, f in supported
            ),
            f"\n## Refused ({len(refused)})\n",
            *_rows("Pipeline class", "Denoiser", "Why", "Sites measured"),
            *(_row(name, kind.denoiser, kind.reason, "no") for name, kind in refused),
            f"\n## Out of scope ({len(others)})\n",
            "These take a prompt and are refused too: they do not draw pictures of it.\n",
            *_by_reason(others),
            "",
        ]
    )
    return reflowed(lines)


def _starts() -> list[str]:
    """The table of `inkguard.families` that says which family a new one starts from."""
    return [line for line in (families_doc or "").splitlines() if line.startswith("|")]


def _rows(*heads: str) -> Iterable[str]:
    return _line(heads), _line("---" for _ in heads)


def _row(name: str, denoiser: str, *cells: str) -> str:
    return _line((f"`{name}`", f"`{denoiser}`", *cells))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _measured(name: str, family: Family, manifests: Iterable[Manifest]) -> str:
    """Whether manifests are there for the class itself, or for another one of its family."""
    own = [_evidence(m) for m in manifests if m.pipeline == name]
    if own:
        return f"yes: {', '.join(own)}"
    kin = {m.pipeline for m in manifests if m.pipeline in family.pipelines}
    return f"no; those of `{min(kin)}` if they fit" if kin else "no"


def _evidence(manifest: Manifest) -> str:
    how = "measured here" if manifest.source == "measured" else f"the {manifest.source}'s"
    return f"`{manifest.name}` ({how})"


def _by_reason(families: Mapping[str, Unsupported]) -> Iterable[str]:
    ordered = sorted(families, key=lambda name: (families[name].reason, name))
    for reason, names in groupby(ordered, key=lambda name: families[name].reason):
        yield f"- {reason}: {', '.join(f'`{name}`' for name in names)}."


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
