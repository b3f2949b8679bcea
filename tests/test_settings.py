"""The names of settings: all are known, all are documented, and no misspelt one is passed over."""

import pytest

from tests.serving_process import ROOT
from wms.settings import known_names, load_settings
from wms_ml.errors import SettingsError

ELSEWHERE = ("WMS_QA_", "WMS_TRAIN_")  # in data-quality.md and training.md


def test_the_services_settings_are_known_to_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WMS_SERVING_API_KEY", "a-long-random-text")
    monkeypatch.setenv("WMS_SERVING_PREDICTION_LOG", "rows")
    assert load_settings().serve_host == "127.0.0.1"


@pytest.mark.parametrize("name", ["WMS_SERVING_TYPO", "WMS_API_KEY", "WMS_SERVING_SERVE_PORT"])
def test_a_setting_that_does_not_exist_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsError, match=f"unknown setting {name}"):
        load_settings()


@pytest.mark.parametrize("name", sorted(name for name in known_names() if not name.startswith(ELSEWHERE)))
def test_every_setting_is_documented(name: str) -> None:
    assert f"| `{name}` |" in (ROOT / "docs" / "settings.md").read_text()
