"""Where heavy programs run: here, as a subprocess that reports through Dagster Pipes.

Dagster's own subprocess client waits blindly and leaves its child behind when it is killed itself. This one
looks on while the child works, so that metrics flow as they come, and holds the child's standard input: when
this process dies, however it dies, the child reads its end and stops.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from wms_ml.errors import TrainingError
from wms_resources.process import end_child

_GRACE_SECONDS = 20


class LocalCompute(dg.ConfigurableResource):
    """Runs the library's programs on this machine."""

    def run(
        self,
        context: dg.AssetExecutionContext,
        module: str,
        arguments: Sequence[str],
        on_tick: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """Run `python -m module arguments` to its end; `on_tick` is called about once a second and at the end.

        Returns:
            what the program reported as its result.

        Raises:
            TrainingError: it failed; the message is its own, or says which signal killed it.
        """
        with dg.open_pipes_session(
            context, dg.PipesTempFileContextInjector(), dg.PipesTempFileMessageReader()
        ) as session:
            environment = {**os.environ, **session.get_bootstrap_env_vars()}
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments], env=environment, stdin=subprocess.PIPE
            )
            try:
                _watch(process, on_tick)
            finally:
                _stop(process)
        on_tick()
        return _result(module, process.returncode, session.get_custom_messages())


def _watch(process: "subprocess.Popen[bytes]", on_tick: Callable[[], None]) -> None:
    while True:
        try:
            process.wait(1)
            return
        except subprocess.TimeoutExpired:
            on_tick()


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin:
        process.stdin.close()
    end_child(process, _GRACE_SECONDS)


def _result(module: str, code: int, messages: Sequence[Any]) -> dict[str, Any]:
    result: dict[str, Any] = messages[-1] if messages else {}
    if "error" in result:
        raise TrainingError(result["error"])
    if code < 0:
        raise TrainingError(
            f"{module} was killed by signal {-code} (9 is often lack of memory): run the job again, it resumes"
        )
    if code or not messages:
        raise TrainingError(f"{module} ended with exit code {code}: its output is in the run's compute log")
    return result
