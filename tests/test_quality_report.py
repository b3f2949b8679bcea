"""The report of a drop: it survives the journey as JSON, and says what goes on and what is set aside."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from tests.quality_folder import JPEG, SIZE, Folder, again, mask, photo
from wms_ml.errors import DataError
from wms_ml.quality.measuring import sharpness
from wms_ml.quality.report import Finding, Report, Severity, quarantine
from wms_ml.quality.rules import RULES, Rule, rules_version
from wms_ml.quality.schema import report_schema
from wms_ml.quality.thresholds import Thresholds

# As JSON


def test_a_report_survives_json(folder: Folder) -> None:
    folder.put("masks/b.png", mask(value=128))
    report = quarantine(folder.check())
    assert Report.from_json(report.to_json()) == report


def test_the_same_drop_gives_the_same_text(folder: Folder) -> None:
    folder.put("masks/b.png", mask(value=128))
    assert folder.check().to_json() == folder.check().to_json()


def spoil_nothing(_: Folder) -> None:
    pass


def spoil_hostile(drop: Folder) -> None:
    drop.put("images/\ud83d<script>\"'\\\x1b[31m.jpg".replace("\ud83d", "\u202e"), JPEG)
    drop.put("masks/a.png", b"")
    drop.put("masks/notes.docx", b"x")


def spoil_twice(drop: Folder) -> None:
    again(drop)
    drop.put("images/b.png", photo(9))


@pytest.mark.parametrize("spoil", [spoil_nothing, spoil_hostile, spoil_twice])
def test_a_report_keeps_to_its_schema(folder: Folder, spoil: Callable[[Folder], None]) -> None:
    spoil(folder)
    report = folder.check()
    validator = jsonschema.Draft202012Validator(report_schema())
    validator.check_schema(report_schema())
    for each in (report, quarantine(report)):
        validator.validate(json.loads(each.to_json()))


def test_the_schema_describes_every_field() -> None:
    objects = [report_schema(), *report_schema()["$defs"].values()]
    mute = [
        name
        for each in objects
        for name, field in each["properties"].items()
        if not field.get("description") and "$ref" not in field
    ]
    assert mute == []


def dropping(*path: Any) -> Callable[[Any], None]:
    def edit(value: Any) -> None:
        for key in path[:-1]:
            value = value[key]
        del value[path[-1]]

    return edit


def setting(new: Any, *path: Any) -> Callable[[Any], None]:
    def edit(value: Any) -> None:
        for key in path[:-1]:
            value = value[key]
        value[path[-1]] = new

    return edit


WRONG = {
    "a field too many": (setting(1, "colour"), "report has unknown fields: 'colour'"),
    "a field too few": (dropping("findings"), "report lacks findings"),
    "a field of a pair too many": (setting(1, "pairs", 0, "colour"), r"report.pairs\[0\] has unknown fields"),
    "a field of a finding too few": (dropping("findings", 0, "remedy"), r"report.findings\[0\] lacks remedy"),
    "a threshold too few": (dropping("thresholds", "max_coverage"), "report.thresholds lacks max_coverage"),
    "no summary": (dropping("summary"), "report.summary is not an object"),
    "text for a number": (setting("6", "files"), "report.files is not an integer"),
    "a bool for a number": (setting(True, "files"), "report.files is not an integer"),
    "an unknown severity": (setting("fatal", "findings", 0, "severity"), "severity is not one of error, warning"),
    "one file for a list": (setting("images/a.jpg", "findings", 0, "files"), "files is not an array"),
    "a number for a list of pairs": (setting({}, "pairs"), "report.pairs is not an array"),
}


@pytest.mark.parametrize(("edit", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_damaged_report_is_refused_by_reader_and_schema_alike(
    folder: Folder, edit: Callable[[Any], None], said: str
) -> None:
    folder.put("masks/b.png", mask(value=128))
    value = json.loads(folder.check().to_json())
    edit(value)
    with pytest.raises(DataError, match=said):
        Report.from_json(json.dumps(value))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, report_schema(), jsonschema.Draft202012Validator)


def test_a_number_that_json_does_not_know_is_refused(folder: Folder) -> None:
    value = json.loads(folder.check().to_json())
    value["pairs"][0]["sharpness"] = float("nan")
    with pytest.raises(DataError, match="sharpness is not a number"):
        Report.from_json(json.dumps(value))


def test_thresholds_that_cannot_be_are_refused(folder: Folder) -> None:
    value = json.loads(folder.check().to_json())
    value["thresholds"]["max_coverage"] = 7
    with pytest.raises(DataError, match="max_coverage is 7"):
        Report.from_json(json.dumps(value))


def test_a_report_whose_errors_were_removed_by_hand_is_refused(folder: Folder) -> None:
    folder.remove("masks/a.png")
    value = json.loads(folder.check().to_json())
    value["findings"] = []
    with pytest.raises(DataError, match="changed by hand"):
        Report.from_json(json.dumps(value))


def test_a_report_of_another_format_is_refused(folder: Folder) -> None:
    text = folder.check().to_json()
    with pytest.raises(DataError, match="another format"):
        Report.from_json(text.replace('"format": 2', '"format": 3'))


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2}', "null", "[" * 100_000])
def test_other_text_is_refused_as_a_report(text: str) -> None:
    with pytest.raises(DataError, match="not a quality report of format 2"):
        Report.from_json(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
BASE = Report("a", 1, (Finding("r", Severity.ERROR, ("images/a.jpg",), "m", "n"),), (), "1", Thresholds())


@given(st.sampled_from(sorted(json.loads(BASE.to_json()))), JSON)
@settings(max_examples=200, deadline=None)
def test_whatever_stands_in_a_field_is_a_report_or_a_clear_error(field: str, value: Any) -> None:
    text = json.dumps({**json.loads(BASE.to_json()), field: value})
    try:
        assert Report.from_json(text).to_json()
    except DataError as error:
        assert "inspect the drop again" in str(error)


def test_the_summary_counts_findings_by_severity_and_by_rule(folder: Folder) -> None:
    folder.remove("masks/a.png")
    folder.put("images/notes.docx", b"x")
    folder.put("images/more.docx", b"x")
    summary = folder.check().summary
    assert (summary.ok, summary.pairs, summary.usable) == (False, 3, 2)
    assert (summary.errors, summary.warnings, summary.notes) == (3, 0, 0)
    assert summary.rules == {"unexpected_file": 2, "image_without_mask": 1}


def test_other_thresholds_make_another_rules_version() -> None:
    assert rules_version(Thresholds()) == rules_version(Thresholds())
    assert rules_version(Thresholds()) != rules_version(Thresholds(max_coverage=0.5))


def test_a_report_tells_the_thresholds_it_was_made_with(folder: Folder) -> None:
    report = folder.check(thresholds=Thresholds(max_coverage=0.5))
    assert json.loads(report.to_json())["thresholds"]["max_coverage"] == 0.5


def test_a_warning_does_not_stop_a_drop(folder: Folder) -> None:
    warning = Finding("blur", Severity.WARNING, ("images/a.jpg",), "it is blurred", "take it again")
    report = replace(folder.check(), findings=(warning,))
    assert report.ok
    assert report.bad_names == frozenset()
    assert report.warnings == (warning,)


def test_sharpness_falls_with_blur() -> None:
    picture = photo(1).convert("L")
    values = [
        sharpness(np.asarray(each))
        for each in (picture, picture.filter(ImageFilter.GaussianBlur(1)), Image.new("L", SIZE, 90))
    ]
    assert values[0] > 10 * values[1] > values[2] == 0


# The docs


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_docs_tell_people_what_to_do_about_every_rule(rule: Rule) -> None:
    sections = (Path(__file__).parent.parent / "docs" / "data-quality.md").read_text().split("\n## ")
    place = {Severity.ERROR: "Errors", Severity.WARNING: "Warnings", Severity.NOTE: "Warnings"}[rule.severity]
    assert any(section.startswith(place) and f"`{rule.name}`" in section for section in sections)
