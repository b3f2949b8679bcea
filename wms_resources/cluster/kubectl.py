"""What a namespace of a cluster holds, read and written through `kubectl`."""

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Final

from wms_ml.errors import DeploymentError
from wms_resources.cluster.cluster_commands import END_SECONDS, Answer, run
from wms_resources.process import end_child

_ASK_SECONDS: Final = 20
_FORWARD_SECONDS: Final = 20
_FORWARDING: Final = re.compile(r"Forwarding from (127\.0\.0\.1:\d+) ->")
_NOT_FOUND: Final = "(NotFound)"
_EXISTS: Final = "(AlreadyExists)"
_CONFLICT: Final = "(Conflict)"
_NO_LOG: Final = "unable to retrieve container logs"


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl, pointed at one namespace.

    Every method raises DeploymentError when the cluster does not answer or refuses.

    Attributes:
        namespace: where objects are, unless they belong to the cluster as a whole.
        command: the program.
        context: of the kubeconfig; empty: its current one.
    """

    namespace: str
    command: str = "kubectl"
    context: str = ""

    def find(self, kind: str, selector: str = "", field: str = "") -> list[dict[str, Any]]:
        """All objects of a kind with these labels and field values, such as `track=stable`."""
        chosen = [f"--selector={selector}"] if selector else []
        chosen += [f"--field-selector={field}"] if field else []
        items: list[dict[str, Any]] = json.loads(self._ask("get", kind, *chosen, "--output=json").required())["items"]
        return items

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """One object; None when there is none of that name."""
        answer = self._ask("get", kind, name, "--output=json")
        return None if _NOT_FOUND in answer.said else json.loads(answer.required())

    def apply(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Make an object what the manifest says; returns it as it is now."""
        stated: dict[str, Any] = json.loads(self._send(manifest, "apply", "--output=json").required())
        return stated

    def create(self, manifest: Mapping[str, Any]) -> bool:
        """Create an object; False when somebody else was first."""
        return self._send(manifest, "create").required_unless(_EXISTS)

    def replace(self, manifest: Mapping[str, Any]) -> bool:
        """Replace the object that was read, resourceVersion and all; False when it is another one, or gone, by now."""
        return self._send(manifest, "replace").required_unless(_CONFLICT, _NOT_FOUND)

    def delete(self, kind: str, name: str) -> None:
        """Have an object removed, without waiting until it is; one that is not there is well, too."""
        self._ask("delete", kind, name, "--ignore-not-found", "--wait=false").required()

    def last_words(self, pod: str, *, former: bool = False, lines: int = 8) -> str:
        """The end of a pod's log, or of its former container's, which ended; empty when there is none any more."""
        answer = self._ask("logs", pod, f"--tail={lines}", f"--previous={json.dumps(former)}")
        return "" if answer.code or answer.out.startswith(_NO_LOG) else answer.out.strip()

    def warnings(self, name: str) -> list[str]:
        """What the cluster complained about an object, oldest first."""
        events = self.find("events", field=f"involvedObject.name={name},type=Warning")
        return [
            event.get("message", "") for event in sorted(events, key=lambda event: event.get("lastTimestamp") or "")
        ]

    def node(self) -> str:
        """The address of a node: the one that it has outside the cluster, where it has one."""
        nodes = self.find("nodes")
        for kind in ("ExternalIP", "InternalIP"):
            for address in (each for node in nodes for each in node["status"]["addresses"]):
                if address["type"] == kind:
                    return str(address["address"])
        raise DeploymentError("no node of the cluster states an address")

    @contextmanager
    def forward(self, pod: str, port: int) -> Iterator[str]:
        """Address on this machine's loopback that leads to a pod's port, during the block.

        Raises:
            DeploymentError: it does not come about.
        """
        line = self._line("port-forward", f"pod/{pod}", f":{port}", "--address=127.0.0.1")
        with tempfile.TemporaryFile() as log:  # a pipe that nobody reads would fill and stop it
            process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
            try:
                yield f"http://{_forwarded(process, log, pod)}"
            finally:
                end_child(process, END_SECONDS)

    def _ask(self, *words: str, stdin: str = "") -> Answer:
        return run(self._line(*words), "WMS_KUBECTL", _ASK_SECONDS * 2, stdin)

    def _send(self, manifest: Mapping[str, Any], *words: str) -> Answer:
        return self._ask(*words, "--filename=-", stdin=json.dumps(manifest))

    def _line(self, *words: str) -> list[str]:
        context = [f"--context={self.context}"] if self.context else []
        limit = [] if words[0] == "port-forward" else [f"--request-timeout={_ASK_SECONDS}s"]
        return [self.command, *words, f"--namespace={self.namespace}", *context, *limit]


def _forwarded(process: "subprocess.Popen[bytes]", log: IO[bytes], pod: str) -> str:
    """The local address, `host:port`, once kubectl has said it."""
    deadline = time.monotonic() + _FORWARD_SECONDS
    while True:
        said = os.pread(log.fileno(), 10_000, 0).decode(errors="replace")
        found = _FORWARDING.search(said)
        if found:
            return found[1]
        if process.poll() is not None or time.monotonic() > deadline:
            raise DeploymentError(
                f"no way to pod {pod} through `kubectl port-forward`: {said.strip() or 'it is silent'}"
            )
        time.sleep(0.02)
