"""docs/reference/families.md, made of the built-in families and the shipped manifests: `python -m tools.families_page`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

from inkguard.families import BUILT_IN, Family
from inkguard.families import __doc__ as families_doc
from inkguard.families.unsupported import UNSUPPORTED, Unsupported
from inkguard.manifests.manifest import Manifest, load_manifest, shipped_manifests

__all__ = ["PATH", "page"]

PATH = Path(__file__).parents[1] / "docs" / "reference" / "families.md"

_HEAD = """\
# Pipeline families

Which pipeline classes of diffusers the guard takes. This page is made of `guard/inkguard/families/` and the shipped
manifests by `make pages`. A test holds that it is what those say, and that no
class is missing which the installed diffusers exports and whose call takes a prompt.

A class is supported where an adapter reads all of its text arguments and edits its denoiser. Tests hold the
properties of docs/guides/substitution.md on each such class with small random weights. Everything else is refused by name, with
the reason below. `ModularPipeline`s and classes from outside of diffusers are refused too, because nobody has said which of
their arguments carry text.

Sites are measured for a denoiser, not for a pipeline class. Where the manifest was measured with the family's
text-to-image class, the others use it if their denoiser fits (`model.config`). What the sites do in image-to-image,
inpainting or under a ControlNet was not measured. A model without a manifest is refused or run by `prompt_swap`
(docs/reference/manifests.md).

## Adding a family

A family is one folder in `guard/inkguard/families/` and one line in its `__init__.py`. From outside of inkguard, a program
calls `inkguard.families.register_family`; `examples/my_family.py` does that, and can be run. A family is never
registered by itself: a package that happens to be installed could otherwise have a server draw unchecked text.
`tests/families/test_conformance.py` runs the five properties and every idiom of docs/results/guard-stays.md on each
registered family.
"""


def page() -> str:
    """The whole page, in Markdown."""
    manifests = [load_manifest(path) for path in shipped_manifests()]
    supported = sorted((str(name), family) for family in BUILT_IN for name in family.pipelines)
    refused = sorted((name, kind) for name, kind in UNSUPPORTED.items() if kind.denoiser)
    others = {name: kind for name, kind in UNSUPPORTED.items() if not kind.denoiser}
    return "\n".join(
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
