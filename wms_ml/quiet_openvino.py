"""OpenVINO, which reports to nobody.

On import it would write an identifier into people's home folders, and report to its maker under it; without the package
that does so it does neither. The import takes a tenth of a second: programs that load no model are spared it.
"""

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # Python's way to say: not there

import openvino  # noqa: E402 - after the line above
from openvino import opset13 as ops  # noqa: E402

__all__ = ["openvino", "ops"]
