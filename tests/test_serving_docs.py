"""docs/serving.md says what the code does: codes, metrics, fields and columns are all there, and none that is not."""

import re
from dataclasses import fields
from http import HTTPStatus
from typing import Final

from serving.examples import REFUSALS
from serving.metrics import CODES, Metrics
from serving.settings import ServingSettings
from serving.windows import Box, Window
from tests.serving_process import ROOT
from wms_ml.prediction_rows import Entry
from wms_ml.reduced import enough_for

TEXT: Final = (ROOT / "docs" / "serving.md").read_text()
NOT_OF_A_REQUEST: Final = {"unauthorized": HTTPStatus.UNAUTHORIZED, "internal": HTTPStatus.INTERNAL_SERVER_ERROR}
"""Refusals that come from around the routes, with their statuses."""


def rows(head: str) -> list[list[str]]:
    """Cells of the table whose first column is called `head`, its head left out."""
    (table,) = re.findall(rf"^\| {head} \|.*\n\|[-:| ]+\|\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]


def named(head: str) -> list[str]:
    """What stands in backquotes in the first column of that table."""
    return [name for row in rows(head) for name in re.findall(r"`(\S+?)`", row[0])]


def test_every_refusal_is_in_the_table_with_its_status() -> None:
    statuses = {code: status for code, (status, _) in REFUSALS.items()} | NOT_OF_A_REQUEST
    assert {row[0].strip("`"): int(row[1]) for row in rows("code")} == statuses


def test_every_code_in_the_table_is_counted_under_its_own_name() -> None:
    assert set(named("code")) == CODES


def test_every_metric_is_in_the_table() -> None:
    families = list(Metrics().registry.collect())
    exposed = [each.name + "_total" * (each.type == "counter") for each in families]
    assert sorted(named("metric")) == sorted(name for name in exposed if name.startswith("wms_"))


def test_every_field_of_the_answer_is_in_the_table() -> None:
    assert named("field") == list(Window.model_fields)


def test_the_box_is_told_by_its_fields() -> None:
    (box,) = (row[1] for row in rows("field") if row[0] == "`box`")
    assert re.findall(r"`(\w+)`", box) == list(Box.model_fields)


def test_every_column_of_the_prediction_log_is_in_the_table() -> None:
    assert sorted(named("column")) == sorted(field.name for field in fields(Entry))


def test_the_limits_told_are_the_defaults() -> None:
    of = ServingSettings.model_fields
    words = " ".join(TEXT.split())
    for told in (
        f"A file has {of['max_megabytes'].default} MiB at most",
        f"a picture {of['max_megapixels'].default} megapixels",
        f"A body has {of['request_seconds'].default} seconds to arrive",
        f"A batch, of {of['batch_pictures'].default} pictures at most",
        f"{of['batch_pictures'].default * of['max_megabytes'].default + 1} MiB",
        f"{enough_for(256)} on the shorter side for a network of 256",
    ):
        assert told in words


def test_every_setting_named_exists() -> None:
    known = {f"WMS_SERVING_{name.upper()}" for name in ServingSettings.model_fields}
    assert set(re.findall(r"WMS_SERVING_[A-Z_]+", TEXT)) <= known | {"WMS_SERVING_"}
