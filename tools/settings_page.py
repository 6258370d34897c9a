"""docs/reference/settings.md from the settings themselves: `python -m tools.settings_page` writes it."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from inkguard_server.settings import ModelSettings, Settings, TlsSettings
from tools.sentence_lines import reflowed

__all__ = ["PATH", "settings_page"]

PATH = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"
_HEAD = """\
# Settings of the sidecar

Made by `make pages` from `server/inkguard_server/settings.py`.

`inkguard serve --config FILE` reads a YAML file.
Environment variables override the file.
The variable of a setting is `INKGUARD_` and its name in capitals.
The name of a part follows two underscores (`INKGUARD_TLS__KEY`).
Lists are JSON in a variable, and `null` is null.
An unknown name in the file is an error.
Unknown variables are ignored, since Kubernetes makes some of its own.
Settings do not change while the server runs; [policies do](../guides/server.md#edits-of-policies).
Relative paths of `policies` and of `tls` in the file start from the file's folder.

```yaml
listen: 0.0.0.0:50051
tls:
  certificate: /etc/inkguard/tls/server.pem
  key: /etc/inkguard/tls/server.key
models:
  - {name: sd3-tiny, path: sd3-tiny}
  - {name: signs, path: /models/signs, fallback: true}
policies:
  - policies/default.yaml
queue_limit: 16
decision_log: /tmp/inkguard/decisions.jsonl
```
"""


def settings_page() -> str:
    """The page's text."""
    parts = [_HEAD, "\n".join(_table(Settings, "INKGUARD_"))]
    for title, model, prefix in (
        ("Each of `models`", ModelSettings, None),
        ("`tls`", TlsSettings, "INKGUARD_TLS__"),
    ):
        parts.append(f"## {title}\n\n" + "\n".join(_table(model, prefix)))
    return reflowed("\n\n".join(p.rstrip("\n") for p in parts) + "\n")


def _table(model: type[BaseModel], prefix: str | None) -> Iterator[str]:
    yield "| setting | type | default | variable | what it does |"
    yield "|---|---|---|---|---|"
    for name, field in model.model_fields.items():
        variable = f"`{prefix}{name.upper()}`" if prefix else ""
        yield (
            f"| `{name}` | {_kind(field)} | {_default(field)} | {variable} | {field.description} |"
        )


def _kind(field: FieldInfo) -> str:
    bounds = {type(m).__name__: m for m in field.metadata}
    limits = [
        f"{word} {getattr(bounds[key], attribute):g}"
        for key, attribute, word in (
            ("Ge", "ge", "from"),
            ("Le", "le", "to"),
            ("MinLen", "min_length", "with at least"),
        )
        if key in bounds
    ]
    kind, null, _ = _plain(field.annotation).partition(" or null")
    return " ".join([kind, *limits]) + null


def _plain(annotation: Any) -> str:
    """A type in plain words."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _plain(arguments[0])
    if origin is typing.Literal:
        return " or ".join(f"`{a}`" for a in arguments)
    if origin in {types.UnionType, typing.Union}:
        return " or ".join(_plain(a) for a in arguments)
    if origin is tuple:
        return f"list of {_plain(arguments[0])}"
    names = {
        str: "text",
        bool: "true or false",
        int: "whole number",
        float: "number",
        Path: "path",
        type(None): "null",
        ModelSettings: "models (below)",
        TlsSettings: "mapping (below)",
    }
    return names[annotation]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, tuple):
        value = [v.model_dump() if isinstance(v, BaseModel) else str(v) for v in value]
    return f"`{json.dumps(value)}`"


if __name__ == "__main__":
    PATH.write_text(settings_page(), encoding="utf-8")
