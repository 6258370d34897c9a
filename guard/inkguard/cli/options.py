"""A dataclass becomes a command's options, so that each option is spelled once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

if TYPE_CHECKING:
    from inkguard.client import Tls

__all__ = ["PromptOptions", "one_option_each"]

_Options = TypeVar("_Options")


def one_option_each(
    kind: type[_Options],
) -> Callable[[Callable[[_Options], None]], Callable[..., None]]:
    """Turn a function of a dataclass into one that typer reads: with an option for each field.

    A field is declared as a parameter of a typer command is: its help and its bounds stand beside its
    type and its default. Example::

        @dataclass(frozen=True, kw_only=True)
        class Options:
            steps: Annotated[int, typer.Option(min=1, help="Denoising steps.")] = 20


        @app.command()
        @one_option_each(Options)
        def draw(options: Options) -> None:
            \"\"\"Draw a picture.\"\"\"
    """
    hints = get_type_hints(kind, include_extras=True)
    parameters = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(kind)  # type: ignore[arg-type]
    ]

    def decorate(function: Callable[[_Options], None]) -> Callable[..., None]:
        @wraps(function)
        def command(**given: Any) -> None:
            function(kind(**given))

        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return decorate


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptOptions:
    """What `check` and `generate` have in common: prompts, a policy, and where the work is done.

    Raises BadParameter for prompts given twice or not at all, and for half of an mTLS identity.
    """

    prompt: Annotated[str | None, typer.Argument(help="What to draw.", show_default=False)] = None
    jsonl: Annotated[
        str | None,
        typer.Option(help="Read JSON lines from this file, or - for standard input."),
    ] = None
    policy: Annotated[
        str | None,
        typer.Option(
            help="Policy file; with --server the name of one of its policies. "
            "(default: the shipped one)"
        ),
    ] = None
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False
    server: Annotated[
        str | None,
        typer.Option(help="Ask the sidecar at HOST:PORT, in place of this machine."),
    ] = None
    tls_ca: Annotated[
        Path | None, typer.Option(help="Connect by TLS; the server's authority (PEM).")
    ] = None
    tls_cert: Annotated[
        Path | None, typer.Option(help="This client's certificate, for mTLS (PEM).")
    ] = None
    tls_key: Annotated[Path | None, typer.Option(help="Its private key (PEM).")] = None

    def __post_init__(self) -> None:
        if (self.prompt is None) == (self.jsonl is None):
            raise typer.BadParameter("give either a PROMPT or --jsonl FILE")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise typer.BadParameter("--tls-cert and --tls-key go together")

    @property
    def tls(self) -> Tls | None:
        """TLS as soon as any of its files is named, plain text without."""
        from inkguard.client import Tls

        if self.tls_ca is None and self.tls_cert is None:
            return None
        return Tls(ca=self.tls_ca, certificate=self.tls_cert, key=self.tls_key)
