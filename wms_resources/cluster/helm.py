"""Helm's releases of a chart: installed, replaced, put back, and told apart after Helm itself was killed.

A release has revisions. Helm refuses to work on one whose newest revision is still pending, as a killed Helm leaves
it: who comes next has to settle that first.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import psutil

from wms_resources.cluster.cluster_commands import Answer, run

HISTORY: Final = 10
"""Revisions that are kept."""

_MARGIN_SECONDS: Final = 60
"""Longer than Helm's own limit: it says better what went wrong than we do."""

_NO_RELEASE: Final = "release: not found"
_CHANGES: Final = frozenset({"upgrade", "rollback", "uninstall"})


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a release.

    Attributes:
        number: counted from 1.
        status: Helm's word: `deployed`, `superseded`, `failed`, `pending-upgrade`...
    """

    number: int
    status: str


@dataclass(frozen=True, slots=True)
class Helm:
    """helm, pointed at one release of one namespace.

    Every method raises DeploymentError when Helm fails.

    Attributes:
        namespace: where the release is.
        release: its name.
        command: the program.
        context: of the kubeconfig; empty: its current one.
    """

    namespace: str
    release: str
    command: str = "helm"
    context: str = ""

    def history(self) -> list[Revision]:
        """The revisions that are kept, oldest first; none where nothing was installed."""
        answer = self._ask("history", self.release, "--output=json", f"--max={HISTORY}")
        if not answer.required_unless(_NO_RELEASE):
            return []
        return [Revision(int(each["revision"]), each["status"]) for each in json.loads(answer.out)]

    def values(self, revision: int) -> dict[str, Any]:
        """The values that a revision was given; what the chart states by itself is not among them."""
        answer = self._ask("get", "values", self.release, f"--revision={revision}", "--output=json")
        values: dict[str, Any] | None = json.loads(answer.required())
        return values or {}

    def upgrade(
        self,
        chart: Path,
        files: Sequence[Path],
        values: Mapping[str, Any],
        seconds: int,
        give_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """Install the chart or replace the revision that stands.

        Args:
            chart: its folder.
            files: values, later ones over earlier ones.
            values: over those of the files.
            seconds: how long everything may take to be ready, and otherwise what stood before to come back; 0: not to
                wait for anything.
            give_up: asked every two seconds; when it says yes, what stood before comes back.
        """
        with TemporaryDirectory(prefix="wms-") as folder:
            own = Path(folder) / "values.json"
            own.write_text(json.dumps(values))
            given = [f"--values={file}" for file in (*files, own)]
            wait = [self._back_flag(), "--wait", f"--timeout={seconds}s"] if seconds else []
            words = ("upgrade", self.release, str(chart), "--install", "--reset-values", f"--history-max={HISTORY}")
            self._ask(*words, *given, *wait, seconds=2 * seconds + _MARGIN_SECONDS, give_up=give_up).required()

    def rollback(self, revision: int, seconds: int = 0) -> None:
        """Put an earlier revision back; 0 seconds: without waiting until it is ready."""
        wait = ["--wait", f"--timeout={seconds}s"] if seconds else []
        words = ("rollback", self.release, str(revision), f"--history-max={HISTORY}", *wait)
        self._ask(*words, seconds=seconds + _MARGIN_SECONDS).required()

    def uninstall(self) -> None:
        """Remove the release and all it made; none is well, too."""
        self._ask("uninstall", self.release).required_unless(_NO_RELEASE)

    def settle(self, serves: Callable[[], bool]) -> Revision | None:
        """Bring the release to rest, whatever a killed deployment left. Only for who holds the environment.

        Args:
            serves: whether people are served by it; asked of a first install that did not come to its end.

        Returns:
            the revision that stands; None where nothing does.
        """
        self.end_orphans()
        history = self.history()
        if not history or history[-1].status == "deployed":
            return history[-1] if history else None
        good = completed(history)
        if good is None and history[-1].status == "pending-install" and serves():
            good = history[-1]
        if good is None:
            self.uninstall()
            return None
        self.rollback(good.number)
        return self.history()[-1]

    def end_orphans(self) -> int:
        """Kill helm processes of this machine that change this release: those of a deployment that was killed.

        Only for who holds the environment and runs no helm itself.

        Returns:
            how many there were.
        """
        orphans = [each for each in psutil.process_iter(["cmdline"]) if self._is_change(each.info["cmdline"] or [])]
        for process in orphans:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(orphans, timeout=_MARGIN_SECONDS)
        return len(orphans)

    def _is_change(self, line: Sequence[str]) -> bool:
        return {self.release, *self._place()} <= set(line) and not _CHANGES.isdisjoint(line)

    def _back_flag(self) -> str:
        """How this Helm is told to put back what stood before: the name of the flag changed with Helm 4."""
        version = self._ask("version", "--short").required().strip()
        return "--atomic" if version.startswith("v3.") else "--rollback-on-failure"

    def _ask(
        self, *words: str, seconds: float = _MARGIN_SECONDS, give_up: Callable[[], bool] = lambda: False
    ) -> Answer:
        line = [self.command, *words, *self._place()]
        return run(line, "WMS_HELM", seconds, give_up=give_up)

    def _place(self) -> list[str]:
        return [f"--namespace={self.namespace}", *([f"--kube-context={self.context}"] if self.context else [])]


def completed(history: Sequence[Revision]) -> Revision | None:
    """The revision that Helm completed last and that stands; None where none does."""
    if not history or history[-1].status == "uninstalling":
        return None
    for status in ("deployed", "superseded"):  # a Helm that is killed in between leaves no deployed one
        for revision in reversed(history):
            if revision.status == status:
                return revision
    return None
