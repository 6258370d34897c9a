"""docs/reference/settings.md is that of the settings."""

from __future__ import annotations

import re
from pathlib import Path

from inkguard_server.settings import Settings, load_settings
from tools.settings_page import PATH, settings_page


def test_the_page_is_not_stale() -> None:
    """Run `make pages` where this fails."""
    assert PATH.read_text(encoding="utf-8") == settings_page()


def test_every_setting_is_on_the_page() -> None:
    """With its variable and its description."""
    page = settings_page()
    for name, field in Settings.model_fields.items():
        assert f"`INKGUARD_{name.upper()}`" in page
        assert str(field.description) in page


def test_the_pages_example_loads(tmp_path: Path) -> None:
    """As a user would paste it."""
    example = re.search(r"```yaml\n(.*?)```", settings_page(), re.DOTALL)
    assert example is not None
    file = tmp_path / "config.yaml"
    file.write_text(example[1])
    assert load_settings(file).queue_limit == 16
