"""Runs `helm` and `kubectl`, and says in our words what they complain about and what to do.

A command may take long (a rollout), so it can be told to give up while it runs. It never outlives the call.
"""

import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from wms_ml.errors import DeploymentError
from wms_resources.process import end_child

_TURN_SECONDS: Final = 2
END_SECONDS: Final = 10
"""What a command has to end when it is asked to."""

_CREDENTIALS: Final = re.compile(r"Unauthorized|must be logged in|provide credentials")
_RIGHTS: Final = re.compile(r'User "[^"]*" cannot ')
_UNREACHABLE: Final = re.compile(
    r"cluster unreachable|connection to the server|Unable to connect|no configuration has been provided"
    r"|context was not found|context \S+ does not exist|TLS handshake timeout|i/o timeout"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command did.

    Attributes:
        command: its name and first words.
        code: exit status.
        out: standard output.
        said: standard error, without the noise of clients that ask again and again.
    """

    command: str
    code: int
    out: str
    said: str

    def required(self) -> str:
        """Its output.

        Raises:
            DeploymentError: it failed; the message says why and what to do.
        """
        if not self.code:
            return self.out
        if _CREDENTIALS.search(self.said):
            raise DeploymentError(f"the cluster refuses our credentials ({self.said}): renew the kubeconfig's")
        if _RIGHTS.search(self.said):
            raise DeploymentError(f"our credentials do not allow this on the cluster: {self.said}")
        if _UNREACHABLE.search(self.said):
            raise DeploymentError(
                f"the cluster cannot be reached ({self.said}): "
                "does it run, and do KUBECONFIG and WMS_KUBE_CONTEXT name it?"
            )
        raise DeploymentError(f"`{self.command}` failed with exit code {self.code}: {self.said or self.out}")

    def required_unless(self, *refusals: str) -> bool:
        """Whether it succeeded; False where it was refused in one of these words.

        Raises:
            DeploymentError: it failed otherwise.
        """
        if self.code and any(refusal in self.said for refusal in refusals):
            return False
        self.required()
        return True


def run(
    line: Sequence[str], setting: str, seconds: float, stdin: str = "", give_up: Callable[[], bool] = lambda: False
) -> Answer:
    """Run a command to its end.

    Args:
        line: the command.
        setting: variable that names the program.
        seconds: how long it may take.
        stdin: what it is given to read.
        give_up: asked every two seconds; when it says yes, the command is asked to end and has `seconds` to tidy up.

    Raises:
        DeploymentError: there is no such program, or it takes too long.
    """
    try:
        process = subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    except OSError as error:
        raise DeploymentError(
            f"{line[0]} cannot be run ({error.strerror}): install it, or say with {setting} where it is"
        ) from error
    with process:
        try:
            out, said = _outcome(process, stdin, seconds, give_up)
        except subprocess.TimeoutExpired as error:
            raise DeploymentError(f"`{_name(line)}` did not end within {seconds:.0f} s") from error
        finally:
            end_child(process, END_SECONDS)
    return Answer(_name(line), process.returncode, out, _last_words(said))


def _outcome(
    process: "subprocess.Popen[str]", stdin: str, seconds: float, give_up: Callable[[], bool]
) -> tuple[str, str]:
    """Standard output and error of a process that ends in time."""
    deadline = time.monotonic() + seconds
    asked = False
    while True:
        try:
            return process.communicate(stdin, timeout=_TURN_SECONDS)
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                raise
            if not asked and give_up():
                asked = True
                process.send_signal(signal.SIGTERM)
                deadline = time.monotonic() + seconds


def _name(line: Sequence[str]) -> str:
    return " ".join(line[:3])


def _last_words(said: str) -> str:
    lines = [
        line for line in said.strip().splitlines() if " memcache.go:" not in line and "WARNING: version" not in line
    ]
    return "\n".join(lines)[-2000:]
