"""Everything that an operator can set, in one frozen object: a YAML file, then the environment."""

from __future__ import annotations

import difflib
import ipaddress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import EnvSettingsSource
from pydantic_settings import SettingsError as UnparsedError

from inkguard.errors import GuardError
from inkguard.types import LIMITS, Limits

__all__ = ["ModelSettings", "Settings", "SettingsError", "TlsSettings", "load_settings"]


class SettingsError(GuardError):
    """The settings cannot be used; the message names each setting at fault and where it stands."""


def _address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be HOST:PORT, for instance 127.0.0.1:50051 or [::1]:50051")
    return value


_Address = Annotated[str, AfterValidator(_address)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelSettings(_Frozen):
    """A model that requests may name."""

    name: str = Field(default="sd3-tiny", description="The name that requests use.")
    path: str = Field(
        default="sd3-tiny", description="An embedded model's name, or a diffusers folder."
    )
    fallback: bool = Field(
        default=False,
        description="Serve it by whole-prompt swap where it has no manifest, instead of refusing.",
    )
    unreached: bool = Field(
        default=False,
        description="Serve it by a manifest that says reached: false, instead of refusing.",
    )


class TlsSettings(_Frozen):
    """Files in PEM format."""

    certificate: Path = Field(description="The server's certificate chain.")
    key: Path = Field(description="Its private key.")
    client_ca: Path | None = Field(
        default=None,
        description="Only clients with a certificate of this authority may connect (mTLS).",
    )


class Settings(_Frozen):
    """The sidecar's settings. `load_settings` makes them from a file and the environment."""

    listen: _Address = Field(
        default="127.0.0.1:50051", description="Where gRPC listens; port 0 takes a free one."
    )
    metrics: _Address | None = Field(
        default="127.0.0.1:9464", description="Where Prometheus scrapes /metrics; null for nowhere."
    )
    tls: TlsSettings | None = Field(default=None, description="TLS on the gRPC port.")
    allow_plaintext_on_network: bool = Field(
        default=False, description="Listen beyond loopback without TLS."
    )
    allow_unguarded: bool = Field(
        default=False,
        description="Allow METHOD_NONE, which draws without the guard. For development.",
    )
    reflection: bool = Field(default=False, description="Answer gRPC server reflection.")
    engine: str = Field(
        default="local", description="What draws: the name of an entry of inkguard_server.engines."
    )
    models: tuple[ModelSettings, ...] = Field(
        default=(ModelSettings(),),
        min_length=1,
        description="The models; the first is the default.",
    )
    policies: tuple[Path, ...] = Field(
        default=(),
        description="Policy files; the first is the default. None: the policy that is shipped.",
    )
    reader: str | None = Field(
        default=None,
        description="The OCR engine that reads pictures back (ppocr-v6, for instance), where a policy asks for that; "
        "null: the engines that the policy names.",
    )
    policy_poll_seconds: float | None = Field(
        default=5.0,
        ge=0.1,
        le=3600,
        description="How often the policies' files are looked at; null for never.",
    )
    device: str = Field(default="cpu", description="The models' device, as torch names it.")
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="The models' number format."
    )
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="CPU threads; null: torch's own."
    )
    queue_limit: int = Field(
        default=8, ge=0, le=10_000, description="Requests that may wait for a model."
    )
    max_prompt: int = Field(
        default=10_000, ge=1, le=LIMITS.prompt, description="Longest prompt, in code points."
    )
    max_steps: int = Field(default=100, ge=1, le=LIMITS.steps, description="Most denoising steps.")
    max_pictures: int = Field(
        default=4, ge=1, le=LIMITS.pictures, description="Most pictures of a request."
    )
    max_side: int = Field(
        default=2048, ge=8, le=LIMITS.side, description="Longest side of a picture in pixels."
    )
    drain_seconds: float = Field(
        default=30.0,
        ge=0,
        le=3600,
        description="How long running requests may go on after SIGTERM.",
    )
    decision_log: str = Field(
        default="-",
        description="File that the decision records are appended to; - is standard output.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What is written to standard error."
    )

    @property
    def limits(self) -> Limits:
        """The largest request that this server takes."""
        return Limits(
            prompt=self.max_prompt,
            steps=self.max_steps,
            pictures=self.max_pictures,
            side=self.max_side,
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [m.name for m in self.models]
        if len(set(names)) < len(names):
            raise ValueError("models: two models have the same name")
        if self.tls is None and not self.allow_plaintext_on_network and not _loopback(self.listen):
            raise ValueError(
                f"listen: {self.listen} is not loopback, and there is no TLS. Set tls, or "
                f"allow_plaintext_on_network: true where something else encrypts"
            )
        return self


def _loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_settings(file: Path | None = None, **overrides: Any) -> Settings:
    """The settings of `file`, over which the environment wins, over which `overrides` win.

    Policies and TLS files that `file` names by a relative path are looked for beside it.
    Raises SettingsError.
    """
    values = {} if file is None else _beside(file, _read(file))
    where = f"{file} or the environment" if file else "the environment"
    environment = EnvSettingsSource(
        Settings,  # type: ignore[arg-type]  # it asks for the fields, which every model has
        env_prefix="INKGUARD_",
        env_nested_delimiter="__",
        env_parse_none_str="null",
    )
    try:
        return Settings(**{**_over(values, environment()), **overrides})
    except UnparsedError as error:
        raise SettingsError(f"settings ({where}): {error}: expected JSON") from None
    except ValidationError as error:
        problems = "; ".join(_problem(dict(e)) for e in error.errors())
        raise SettingsError(f"settings ({where}): {problems}") from None


def _read(file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{file}: cannot be read: {error}") from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise SettingsError(f"{file}: expected a mapping of settings' names")
    return values


def _beside(file: Path, values: dict[str, Any]) -> dict[str, Any]:
    """The values with relative paths as seen from the file's folder; what is no path is told later."""

    def seen(value: Any) -> Any:
        return file.parent / value if isinstance(value, str) else value

    policies, tls = values.get("policies"), values.get("tls")
    if isinstance(policies, list):
        values = {**values, "policies": [seen(policy) for policy in policies]}
    if isinstance(tls, dict):
        values = {**values, "tls": {name: seen(path) for name, path in tls.items()}}
    return values


def _over(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    """The values of `high` over those of `low`, mapping by mapping."""
    return {
        **low,
        **{
            key: _over(low[key], value)
            if isinstance(value, dict) and isinstance(low.get(key), dict)
            else value
            for key, value in high.items()
        },
    }


_WORDS = {
    "missing": "is missing",
    "too_short": "at least {min_length} is needed",
    "int": "must be a whole number",
    "float": "must be a number",
    "bool": "must be true or false",
    "string": "must be text",
    "path": "must be a path",
    "tuple": "must be a list",
    "model": "must be a mapping of settings' names",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be one of {expected}",
}
"""What is wrong, by pydantic's type of the error or the beginning of it (int_type, int_parsing)."""
_INSIDE: dict[str, type[BaseModel]] = {"models": ModelSettings, "tls": TlsSettings}


def _problem(error: dict[str, Any]) -> str:
    """One mistake in plain words, with the setting that it is in."""
    loc, kind, given = error["loc"], error["type"], error.get("input")
    place = ".".join(map(str, loc))
    if kind == "extra_forbidden":
        known = (_INSIDE.get(str(loc[0]), Settings) if len(loc) > 1 else Settings).model_fields
        close = difflib.get_close_matches(str(loc[-1]), known, n=1)
        meant = f"; did you mean {close[0]}?" if close else f"; there are: {', '.join(known)}"
        return f"{place}: no such setting{meant}"
    words = _WORDS.get(kind) or _WORDS.get(kind.partition("_")[0])
    if words is None:
        message = str(error["msg"]).removeprefix("Value error, ")
        return f"{place}: {message}" if place else message
    got = f", got {given!r}" if isinstance(given, str | int | float) else ""
    return f"{place}: {words.format(**error.get('ctx', {}))}{got}"
