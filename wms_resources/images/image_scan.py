"""A vulnerability scan of an image by the scanner that is installed; where none is, or it fails, that is what is said.

An image that nobody could scan is never called clean.
"""

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from wms_resources.images.image_registry import ImageRegistry

_SCAN_SECONDS: Final = 600
_SEVERITIES: Final = ("critical", "high", "medium", "low", "negligible", "unknown")


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan found.

    Attributes:
        scanner: `trivy` or `grype`; empty where the image was not scanned.
        counts: findings by severity, worst first, in small letters; None where the image was not scanned.
        said: all of it in words.
    """

    scanner: str
    counts: Mapping[str, int] | None
    said: str


def scan(registry: ImageRegistry, digest: str) -> Scan:
    """Scan `repository@digest`, as the registry has it."""
    for scanner in ("trivy", "grype"):
        if shutil.which(scanner):
            return _scanned(scanner, registry, digest)
    return Scan("", None, "not scanned: neither trivy nor grype is installed")


def _scanned(scanner: str, registry: ImageRegistry, digest: str) -> Scan:
    line, environment = _call(scanner, registry, f"{registry.repository}@{digest}")
    try:
        done = subprocess.run(
            line, capture_output=True, text=True, env={**os.environ, **environment}, timeout=_SCAN_SECONDS, check=True
        )
        found = Counter(_severities(scanner, json.loads(done.stdout)))
    except subprocess.TimeoutExpired:
        return Scan("", None, f"not scanned: {scanner} took longer than {_SCAN_SECONDS} s")
    except subprocess.CalledProcessError as error:
        return Scan("", None, f"not scanned: {scanner} failed: {error.stderr.strip()[-300:]}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Scan("", None, f"not scanned: {scanner} gave no report that can be read: {error!r}")
    counts = {name: found[name] for name in sorted(found, key=_rank)}
    said = ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing found"
    return Scan(scanner, counts, f"{scanner}: {said}")


def _call(scanner: str, registry: ImageRegistry, image: str) -> tuple[list[str], dict[str, str]]:
    """Command and variables; credentials are no arguments, which others on this machine could read."""
    known = registry.credentials
    if scanner == "trivy":
        shown = {"TRIVY_USERNAME": known.user, "TRIVY_PASSWORD": known.password} if known.user else {}
        line = ["trivy", "image", "--quiet", "--format=json", "--scanners=vuln", "--image-src=remote", image]
        return line, shown
    shown = {
        "GRYPE_REGISTRY_AUTH_AUTHORITY": registry.host,
        "GRYPE_REGISTRY_AUTH_USERNAME": known.user,
        "GRYPE_REGISTRY_AUTH_PASSWORD": known.password,
    }
    line = ["grype", f"registry:{image}", "--output=json", "--quiet"]
    return line, shown if known.user else {}


def _severities(scanner: str, report: Mapping[str, Any]) -> list[str]:
    if scanner == "grype":
        return [match["vulnerability"]["severity"].lower() for match in report["matches"]]
    # Nothing that it knew to look at: then this raises, for such an image is not clean.
    return [each["Severity"].lower() for target in report["Results"] for each in target.get("Vulnerabilities") or []]


def _rank(severity: str) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
