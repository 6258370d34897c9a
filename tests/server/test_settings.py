"""Settings from a file, the environment and the caller."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError

from inkguard_server.settings import Settings, SettingsError, load_settings


def write(folder: Path, text: str) -> Path:
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_defaults_are_those_of_a_developers_machine(tmp_path: Path) -> None:
    """Loopback, one model, the shipped policy, nothing unguarded; an empty file changes nothing."""
    settings = load_settings()
    assert settings.listen.startswith("127.0.0.1:")
    assert not settings.allow_unguarded
    assert not settings.reflection
    assert [m.name for m in settings.models] == ["sd3-tiny"]
    assert load_settings(write(tmp_path, "")) == settings
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize(
    ("file", "environment", "override", "wanted"),
    [
        (None, None, None, 8),
        (1, None, None, 1),
        (None, 2, None, 2),
        (1, 2, None, 2),
        (1, None, 3, 3),
        (None, 2, 3, 3),
        (1, 2, 3, 3),
    ],
)
def test_the_caller_wins_over_the_environment_over_the_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: int | None,
    environment: int | None,
    override: int | None,
    wanted: int,
) -> None:
    """For every combination of them."""
    if environment is not None:
        monkeypatch.setenv("INKGUARD_QUEUE_LIMIT", str(environment))
    path = write(tmp_path, f"queue_limit: {file}\nmax_steps: 9") if file is not None else None
    overrides = {} if override is None else {"queue_limit": override}
    settings = load_settings(path, **overrides)
    assert settings.queue_limit == wanted
    assert settings.max_steps == (100 if path is None else 9)


def test_every_kind_of_value_comes_from_a_file(tmp_path: Path) -> None:
    """Lists, nested settings, null."""
    text = """
models: [{name: a}, {name: b, path: /models/b, fallback: true}]
policies: [one.yaml, two.yaml]
metrics: null
tls: {certificate: c.pem, key: k.pem}
"""
    settings = load_settings(write(tmp_path, text))
    assert [(m.name, m.path, m.fallback) for m in settings.models] == [
        ("a", "sd3-tiny", False),
        ("b", "/models/b", True),
    ]
    assert settings.policies == (tmp_path / "one.yaml", tmp_path / "two.yaml")
    assert settings.metrics is None
    assert settings.tls is not None
    assert settings.tls.client_ca is None


def test_the_environment_can_say_null(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file can."""
    monkeypatch.setenv("INKGUARD_METRICS", "null")
    monkeypatch.setenv("INKGUARD_THREADS", "null")
    assert (load_settings().metrics, load_settings().threads) == (None, None)


def test_nested_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """By two underscores, or as JSON."""
    monkeypatch.setenv("INKGUARD_TLS__CERTIFICATE", "c.pem")
    monkeypatch.setenv("INKGUARD_TLS__KEY", "k.pem")
    monkeypatch.setenv("INKGUARD_MODELS", '[{"name": "m"}]')
    settings = load_settings()
    assert settings.tls is not None
    assert (settings.tls.key, settings.models[0].name) == (Path("k.pem"), "m")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("queue_limit: many", "queue_limit"),
        ("queue_limit: -1", "queue_limit"),
        ("queue_limits: 3", "queue_limits"),
        ("max_prompt: 0", "max_prompt"),
        ("listen: 127.0.0.1", "listen"),
        ("listen: 127.0.0.1:99999", "listen"),
        ("metrics: nowhere", "metrics"),
        ("models: []", "models"),
        ("models: [{name: a}, {name: a}]", "models: two models"),
        ("models: [{nam: a}]", "models.0.nam"),
        ("tls: {certificate: c.pem}", "tls.key"),
        ("dtype: int8", "dtype"),
        ("log_level: loud", "log_level"),
        ("drain_seconds: -0.5", "drain_seconds"),
        ("1: 2", "expected a mapping"),
    ],
)
def test_a_mistake_names_the_setting_and_the_file(tmp_path: Path, text: str, named: str) -> None:
    """Also an unknown one: a typing error must not be a default."""
    file = write(tmp_path, text)
    with pytest.raises(SettingsError) as error:
        load_settings(file)
    assert named in str(error.value)
    assert str(file) in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("queue_limits: 3", "queue_limits: no such setting; did you mean queue_limit?"),
        ("models: [{nam: a}]", "models.0.nam: no such setting; did you mean name?"),
        ("zzz: 3", "zzz: no such setting; there are: listen, metrics, "),
        ("queue_limit: many", "queue_limit: must be a whole number, got 'many'"),
        ("queue_limit: 2.5", "queue_limit: must be a whole number, got 2.5"),
        ("queue_limit: -1", "queue_limit: must be at least 0, got -1"),
        ("max_steps: 5000", "max_steps: must be at most 1000, got 5000"),
        ("drain_seconds: soon", "drain_seconds: must be a number, got 'soon'"),
        ("reflection: perhaps", "reflection: must be true or false, got 'perhaps'"),
        ("device: 3", "device: must be text, got 3"),
        ("models: []", "models: at least 1 is needed"),
        ("models: sd3-tiny", "models: must be a list, got 'sd3-tiny'"),
        ("models: [sd3-tiny]", "models.0: must be a mapping of settings' names, got 'sd3-tiny'"),
        ("tls: {certificate: c.pem}", "tls.key: is missing"),
        ("dtype: int8", "dtype: must be one of 'float32', 'bfloat16' or 'float16', got 'int8'"),
        ("policies: [[a]]", "policies.0: must be a path"),
    ],
)
def test_a_mistake_is_told_in_plain_words(tmp_path: Path, text: str, said: str) -> None:
    """And not in those of the library that finds it; a misspelled name is recognised."""
    with pytest.raises(SettingsError) as error:
        load_settings(write(tmp_path, text))
    assert said in str(error.value)


def test_paths_in_a_file_are_seen_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a policy's own lists are; those of the environment are seen from where the server starts."""
    text = "policies: [shop.yaml, /etc/other.yaml]\ntls: {certificate: c.pem, key: /k.pem}"
    settings = load_settings(write(tmp_path, text))
    assert settings.policies == (tmp_path / "shop.yaml", Path("/etc/other.yaml"))
    assert settings.tls is not None
    assert (settings.tls.certificate, settings.tls.key) == (tmp_path / "c.pem", Path("/k.pem"))
    monkeypatch.setenv("INKGUARD_POLICIES", '["here.yaml"]')
    assert load_settings(write(tmp_path, text)).policies == (Path("here.yaml"),)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    """In one line."""
    with pytest.raises(SettingsError) as error:
        load_settings(write(tmp_path, "queue_limit: -1\nmax_steps: 0"))
    assert "queue_limit" in str(error.value)
    assert "max_steps" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("QUEUE_LIMIT", "x"), ("MODELS", "sd3-tiny"), ("POLICIES", "[1,"), ("TLS__KEY", "k.pem")],
)
def test_a_mistake_in_the_environment_is_one_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Also what is not JSON where JSON must be."""
    monkeypatch.setenv(f"INKGUARD_{name}", value)
    with pytest.raises(SettingsError, match=name.partition("_")[0].lower()):
        load_settings()


@pytest.mark.parametrize("text", ["a: [", "- a\n- list", "just text", "a: \x00"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    """With its name."""
    file = write(tmp_path, text)
    with pytest.raises(SettingsError, match=r"config\.yaml"):
        load_settings(file)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Missing, a folder, or not UTF-8."""
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\xff")
    for file in (tmp_path / "no.yaml", tmp_path, binary):
        with pytest.raises(SettingsError, match="cannot be read"):
            load_settings(file)


def test_settings_are_frozen() -> None:
    """Nothing changes them while the server runs."""
    with pytest.raises(ValidationError):
        load_settings().queue_limit = 3  # type: ignore[misc]


def test_an_override_is_checked_too() -> None:
    """It may not undo a check, and it must be a setting."""
    with pytest.raises(SettingsError, match="listen"):
        load_settings(listen="0.0.0.0:1")
    with pytest.raises(SettingsError, match="nope"):
        load_settings(nope=1)


def test_every_setting_is_described() -> None:
    """docs/guides/server.md is made from it."""
    assert all(field.description for field in Settings.model_fields.values())
