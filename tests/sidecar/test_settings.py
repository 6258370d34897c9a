"""Settings from a file and the environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from server.settings import SettingsError, load_settings


def write(folder: Path, text: str) -> Path:
    file = folder / "config.yaml"
    file.write_text(text)
    return file


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is given in the call wins over both."""
    file = write(tmp_path, "queue_limit: 3\nmax_steps: 7\nmax_pictures: 2\n")
    monkeypatch.setenv("INKGUARD_QUEUE_LIMIT", "5")
    monkeypatch.setenv("INKGUARD_MAX_STEPS", "9")
    monkeypatch.setenv("INKGUARD_TLS__CERTIFICATE", "/x.pem")
    monkeypatch.setenv("INKGUARD_TLS__KEY", "/x.key")
    settings = load_settings(file, max_steps=11)
    assert (settings.queue_limit, settings.max_steps, settings.max_pictures) == (5, 11, 2)
    assert settings.tls is not None
    assert settings.tls.key == Path("/x.key")


def test_settings_are_frozen() -> None:
    """Nothing changes them while the server runs."""
    with pytest.raises(ValidationError):
        load_settings().queue_limit = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("queue_limit: -1", "queue_limit"),
        ("max_prompts: 5", "max_prompts: Extra inputs"),
        ("listen: nowhere", "listen: must be HOST:PORT"),
        ("listen: 127.0.0.1:99999", "listen"),
        ("tls: {certificate: a.pem}", "tls.key: Field required"),
        ("models: []", "models"),
        ("models: [{name: a}, {name: a}]", "two models have the same name"),
        ("dtype: int8", "dtype"),
        ("- a list", "expected a mapping"),
        ("a: [", "cannot be read"),
    ],
)
def test_a_mistake_names_the_setting_and_the_file(tmp_path: Path, text: str, said: str) -> None:
    """One line, no traceback of a library."""
    file = write(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert said in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_file_that_is_not_there_is_named() -> None:
    """With why it cannot be read."""
    with pytest.raises(SettingsError, match=r"/nonexistent.yaml: cannot be read"):
        load_settings(Path("/nonexistent.yaml"))
