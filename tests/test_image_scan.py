"""Vulnerability scans, by programs that print what the scanners print: neither can be had on every machine."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from wms_resources.images.image_registry import ImageRegistry
from wms_resources.images.image_scan import scan
from wms_resources.images.registry_login import Credentials

REGISTRY = ImageRegistry("registry.example/model", Credentials("deployer", "a long word"))
DIGEST = f"sha256:{'0' * 64}"
IMAGE = f"registry.example/model@{DIGEST}"

TRIVY = {
    "SchemaVersion": 2,
    "ArtifactName": IMAGE,
    "Results": [
        {
            "Target": "debian 12",
            "Class": "os-pkgs",
            "Vulnerabilities": [
                {"VulnerabilityID": "CVE-2026-1", "PkgName": "libc6", "Severity": "LOW"},
                {"VulnerabilityID": "CVE-2026-2", "PkgName": "zlib1g", "Severity": "CRITICAL"},
                {"VulnerabilityID": "CVE-2026-3", "PkgName": "zlib1g", "Severity": "LOW"},
            ],
        },
        {"Target": "Python", "Class": "lang-pkgs"},
    ],
}
GRYPE = {
    "matches": [
        {"vulnerability": {"id": "CVE-2026-1", "severity": "Negligible"}, "artifact": {"name": "libc6"}},
        {"vulnerability": {"id": "CVE-2026-2", "severity": "High"}, "artifact": {"name": "zlib1g"}},
    ],
    "source": {"type": "image"},
}


@pytest.fixture
def scanners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder with programs in it, but for the system's own."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    return tmp_path


def install(folder: Path, name: str, report: Any, exit_code: int = 0) -> None:
    text = report if isinstance(report, str) else json.dumps(report)
    script = f"""#!/bin/sh
echo "$@" "$TRIVY_USERNAME$GRYPE_REGISTRY_AUTH_USERNAME" >"{folder}/called"
echo "it went wrong" >&2
cat <<'EOF'
{text}
EOF
exit {exit_code}
"""
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)


def test_trivys_findings_are_counted_by_severity_worst_first(scanners: Path) -> None:
    install(scanners, "trivy", TRIVY)
    found = scan(REGISTRY, DIGEST)
    assert list((found.counts or {}).items()) == [("critical", 1), ("low", 2)]
    assert found.said == "trivy: 1 critical, 2 low"
    assert (scanners / "called").read_text().split()[-2:] == [IMAGE, "deployer"]


def test_grypes_findings_are_counted_by_severity_worst_first(scanners: Path) -> None:
    install(scanners, "grype", GRYPE)
    found = scan(REGISTRY, DIGEST)
    assert found.said == "grype: 1 high, 1 negligible"
    called = (scanners / "called").read_text().split()
    assert called[0] == f"registry:{IMAGE}"
    assert called[-1] == "deployer"


def test_the_password_is_no_argument_that_others_could_read(scanners: Path) -> None:
    install(scanners, "trivy", TRIVY)
    scan(REGISTRY, DIGEST)
    assert "a long word" not in (scanners / "called").read_text()


def test_an_image_without_findings_is_said_to_have_none(scanners: Path) -> None:
    install(scanners, "grype", {"matches": []})
    found = scan(REGISTRY, DIGEST)
    assert (found.counts, found.said) == ({}, "grype: nothing found")


def test_without_a_scanner_the_image_is_said_not_to_be_scanned(scanners: Path) -> None:
    found = scan(REGISTRY, DIGEST)
    assert (found.scanner, found.counts, found.said) == ("", None, "not scanned: neither trivy nor grype is installed")


@pytest.mark.parametrize(
    ("report", "exit_code", "why"),
    [
        (TRIVY, 1, "trivy failed: it went wrong"),
        ("", 0, "trivy gave no report"),
        ("[]", 0, "trivy gave no report"),
        ({"SchemaVersion": 2, "ArtifactName": IMAGE}, 0, "trivy gave no report"),
        ({"Results": None}, 0, "trivy gave no report"),
    ],
    ids=["fails", "silent", "not its shape", "looked at nothing", "knew nothing"],
)
def test_a_scanner_that_fails_is_never_taken_for_a_clean_image(
    scanners: Path, report: Any, exit_code: int, why: str
) -> None:
    install(scanners, "trivy", report, exit_code)
    found = scan(REGISTRY, DIGEST)
    assert (found.scanner, found.counts) == ("", None)
    assert found.said.startswith(f"not scanned: {why}")
