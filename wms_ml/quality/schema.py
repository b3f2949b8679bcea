"""The JSON Schema of a report, for the programs of others: `python -m wms_ml.quality.schema` prints it."""

import json
import sys
from typing import Any, Final

from wms_ml.quality.report import FORMAT, Report, Summary
from wms_ml.quality.shape import definitions, schema

ID: Final = f"urn:wms:quality-report:{FORMAT}"
"""Names the schema of this format; another format has another."""


def report_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of what `Report.to_json` writes, made from the dataclasses that it writes."""
    found = {**definitions(Report), **definitions(Summary)}
    report = found.pop(Report.__name__)
    head = {"format": {"const": FORMAT, "description": "Version of this form."}, "summary": schema(Summary)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "Quality report of a drop",
        **report,
        "properties": {**head, **report["properties"]},
        "required": [*head, *report["required"]],
        "$defs": found,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(report_schema(), indent=1) + "\n")
