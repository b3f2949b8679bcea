"""One serving process takes over from another: no connection is lost, whoever is killed on the way."""

import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from serving.handover import take_over
from tests.callers import Callers
from tests.rig import free_port
from tests.serving_process import ROOT
from wms_ml.errors import DeploymentError


class Service:
    """Quick processes that follow each other on one port, and their callers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.started: list[subprocess.Popen[str]] = []

    def start(self, name: str, *hold: str, says: str = "serving", loop: str = "uvloop") -> "subprocess.Popen[str]":
        process = self.launch(name, *hold, loop=loop)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == says
        return process

    def launch(self, name: str, *hold: str, loop: str = "uvloop") -> "subprocess.Popen[str]":
        line = [sys.executable, "-m", "tests.handover_stub", str(self.folder), str(self.port), name, loop, *hold]
        process = subprocess.Popen(line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.started.append(process)
        return process

    def ask(self, path: str = "/") -> str:
        """Over a connection of its own."""
        with closing(self.connect()) as connection:
            return ask(connection, path)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def stop(self) -> None:
        for process in self.started:
            process.kill()
            process.communicate()


def send(connection: socket.socket, path: str = "/") -> None:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n".encode())


def receive(connection: socket.socket) -> str:
    """The whole answer's body; an error when there is none."""
    with closing(http.client.HTTPResponse(connection)) as answer:
        answer.begin()
        assert answer.status == 200
        return answer.read().decode()


def ask(connection: socket.socket, path: str = "/") -> str:
    send(connection, path)
    return receive(connection)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    deep = tmp_path.joinpath(*["a workspace far down"] * 6)  # longer than the address of a Unix socket may be
    service = Service(deep / "handover")
    yield service
    service.stop()


def test_no_call_fails_while_one_process_follows_another(service: Service) -> None:
    answered: set[str] = set()
    kept = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)

    def over_a_new_connection() -> None:
        answered.add(service.ask("/0.002"))

    def over_one_that_is_kept() -> None:
        kept.request("GET", "/0.002")
        answered.add(kept.getresponse().read().decode())

    serving = service.start("0")
    with Callers(*[over_a_new_connection] * 3, over_one_that_is_kept) as callers:
        for name in "1234567":
            following = service.start(name)
            assert serving.wait(60) == 0
            serving = following
        service.ask()
    kept.close()
    assert callers.failures == []
    assert answered == set("01234567")


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_who_is_connected_and_has_not_asked_yet_is_answered_by_the_old_one(service: Service, loop: str) -> None:
    old = service.start("old", loop=loop)
    with closing(service.connect()) as silent, closing(service.connect()) as asking:
        send(asking, "/1")
        service.start("new", loop=loop)
        wait_until(lambda: not is_listening(old))
        assert ask(silent) == "old"
        assert receive(asking) == "old"
    assert old.wait(60) == 0


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_listening(process: "subprocess.Popen[str]") -> bool:
    return any(each.status == psutil.CONN_LISTEN for each in psutil.Process(process.pid).net_connections("tcp"))


def test_who_waits_in_the_queue_of_a_killed_process_is_answered_by_the_next(service: Service) -> None:
    old = service.start("old")
    new = service.start("new", "hold", says="holding")
    old.send_signal(signal.SIGSTOP)
    with closing(service.connect()) as one, closing(service.connect()) as two:
        send(one)
        old.kill()
        old.wait()
        send(two)
        go_on(new)
        assert [receive(one), receive(two)] == ["new", "new"]


def go_on(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_when_the_next_one_is_killed_with_the_socket_in_its_hands_the_old_one_serves_on(service: Service) -> None:
    old = service.start("old")
    service.start("killed", "hold", says="holding").kill()
    assert {service.ask() for _ in range(20)} == {"old"}
    service.start("new")
    assert old.wait(60) == 0
    assert service.ask() == "new"


def test_after_the_only_one_was_killed_the_next_begins_afresh(service: Service) -> None:
    service.start("killed").kill()
    service.started[0].wait()
    assert (service.folder / "door").is_socket()
    service.start("new")
    assert service.ask() == "new"
    service.start("newer")
    assert service.started[1].wait(60) == 0


def test_of_several_that_follow_at_once_one_remains(service: Service) -> None:
    processes = [service.start("0"), *(service.launch(name) for name in "123")]
    wait_until(lambda: [process.poll() for process in processes].count(0) == 3)
    assert service.ask() == str([process.poll() for process in processes].index(None))


def test_the_way_in_is_for_this_user_alone(service: Service) -> None:
    service.start("old")
    assert service.folder.stat().st_mode & 0o777 == 0o700
    service.folder.chmod(0o755)
    with pytest.raises(DeploymentError, match="of this user alone"):
        take_over(service.folder)


def test_a_process_that_does_not_answer_is_named_and_left_as_it_is(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.handover._ANSWER_SECONDS", 0.1)
    old = service.start("old")
    old.send_signal(signal.SIGSTOP)
    with pytest.raises(DeploymentError, match="wms stop"):
        take_over(service.folder)
    old.send_signal(signal.SIGCONT)
    assert service.ask() == "old"


def test_a_process_that_serves_at_another_port_is_not_followed(service: Service) -> None:
    service.start("old")
    served = service.port
    service.port = free_port()
    other = service.launch("new")
    assert other.wait(60) == 1
    service.port = served
    assert service.ask() == "old"
