"""Promotion while the registry or the data repository fails, at every single call: nothing happens, or all of it."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.promotion_world import Challenge
from tests.watched_registry import around
from wms_ml.errors import DataRepoError, RegistryError

pytest_plugins = ["tests.promotion_world"]
pytestmark = pytest.mark.slow

BEFORE, AFTER = "it never arrives", "it is done, and the answer is lost"


@dataclass
class Outage:
    """MLflow goes away at one call."""

    at: int
    when: str
    calls: int = 0

    def before(self, _: str) -> None:
        self.calls += 1
        self._fail(BEFORE)

    def after(self, _: str) -> None:
        self._fail(AFTER)

    def _fail(self, when: str) -> None:
        if when == self.when and self.calls == self.at:
            raise ConnectionError("nobody answers")


@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_a_registry_that_fails_at_any_call_lets_nothing_happen_by_halves(challenge: Challenge, when: str) -> None:
    world, restore = challenge.world, challenge.world.kept()
    failed, hindered, tried = 0, [], set[int]()
    while True:
        restore()
        outage = Outage(failed + 1, when)
        registry = around(world.new_registry(), outage.before, outage.after)
        try:
            world.promoter.promote(registry, challenge.challenger.version, "v1", by="tests", reason="better")
        except RegistryError as error:
            assert "nobody answers" in str(error)
            failed += 1
        else:
            break
        challenge.check_all_or_nothing()
        hindered.append(world.production() == challenge.champion.version)
        challenge.check_promoting_ends_it(tried)
    assert outage.calls < outage.at  # it went through because nothing failed
    assert failed >= 10
    assert {True, False} == set(hindered)  # calls before and after the alias moved were among them
    challenge.check_done()


GIT = """#!/bin/sh
echo call >> "$WMS_TEST_CALLS"
if [ "$(wc -l < "$WMS_TEST_CALLS")" -eq "$WMS_TEST_AT" ]; then
    [ "$WMS_TEST_WHEN" = before ] || {real} "$@" > "$WMS_TEST_CALLS.out"
    echo "the line is dead" >&2
    exit 128
fi
exec {real} "$@"
"""


@pytest.fixture
def failing_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, str], Path]]:
    """Makes the n-th git command fail; returns the file that counts them."""
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(GIT.replace("{real}", str(shutil.which("git"))))
    program.chmod(0o755)
    calls = tmp_path / "calls"
    path = os.environ["PATH"]

    def fail(at: int, when: str) -> Path:
        calls.unlink(missing_ok=True)
        values = {"CALLS": str(calls), "AT": str(at), "WHEN": "before" if when == BEFORE else "after"}
        for name, value in values.items():
            monkeypatch.setenv(f"WMS_TEST_{name}", value)
        monkeypatch.setenv("PATH", f"{program.parent}:{path}")
        return calls

    yield fail


@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_a_data_repository_that_fails_at_any_call_lets_nothing_happen_by_halves(
    challenge: Challenge, failing_git: Callable[[int, str], Path], when: str
) -> None:
    world, restore = challenge.world, challenge.world.kept()
    failed, tried, sound = 0, set[int](), os.environ["PATH"]
    while True:
        os.environ["PATH"] = sound
        restore()
        calls = failing_git(failed + 1, when)
        try:
            world.promote(challenge.challenger)
        except DataRepoError as error:
            assert "the line is dead" in str(error)
            failed += 1
        else:
            made = len(calls.read_text().splitlines())
            if made <= failed:  # nothing failed
                break
            assert when == AFTER  # the push arrived all the same, and reading again showed it
            failed += 1
        os.environ["PATH"] = sound
        challenge.check_all_or_nothing()
        challenge.check_promoting_ends_it(tried)
    os.environ["PATH"] = sound
    assert failed >= 15
    challenge.check_done()
