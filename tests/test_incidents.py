"""Incidents are written before anybody is told, and are not lost when nobody can be."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.rig import free_port
from wms_ml.errors import DeploymentError
from wms_resources.deployment.incidents import Incident, Incidents

INCIDENT = Incident(
    environment="production",
    target="k3s",
    step="watch",
    tag="0123456789ab",
    model_version="8",
    image="registry.example/meters@sha256:00",
    reason="it failed on 5 of 20 pictures | or so",
    seen="| | stable | canary |",
    blames_release=True,
    restored=True,
    stands="version 7 serves",
)


class People:
    """A server that people's messages arrive at; `seen` are its files at that moment."""

    def __init__(self, folder: Path, status: int) -> None:
        self.messages: list[dict[str, Any]] = []
        self.written: list[int] = []
        people = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                people.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                people.written.append(len(list(folder.glob("*.json"))))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook/secret"


@pytest.fixture(params=[200])
def people(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[People]:
    people = People(tmp_path, request.param)
    thread = threading.Thread(target=people.server.serve_forever)
    thread.start()
    yield people
    people.server.shutdown()
    thread.join()
    people.server.server_close()


def test_people_are_told_once_it_is_written(tmp_path: Path, people: People) -> None:
    reported = Incidents(tmp_path, people.url).report(INCIDENT)
    assert people.written == [1]
    assert people.messages[0]["incident"]["reason"] == INCIDENT.reason
    assert "version 8 was not deployed" in people.messages[0]["text"]
    assert reported.notified.startswith("delivered")
    assert Incidents(tmp_path).all() == [reported]


@pytest.mark.parametrize("people", [500], indirect=True)
def test_a_refused_message_is_noted(tmp_path: Path, people: People) -> None:
    assert "answers 500" in Incidents(tmp_path, people.url).report(INCIDENT).notified


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/hook/secret", "no address at all"])
def test_people_who_cannot_be_reached_are_noted_without_their_secret_address(tmp_path: Path, url: str) -> None:
    address = url.format(port=free_port())
    reported = Incidents(tmp_path, address).report(INCIDENT)
    assert "WMS_NOTIFY_WEBHOOK cannot be reached" in reported.notified
    assert address not in reported.notified
    assert "secret" not in repr(Incidents(tmp_path, address))
    assert Incidents(tmp_path).all() == [reported]


def test_it_stays_open_until_the_same_version_is_deployed_to_the_same_place(tmp_path: Path) -> None:
    incidents = Incidents(tmp_path)
    assert incidents.open_in("production") == []
    first = incidents.report(INCIDENT)
    again = incidents.report(replace(INCIDENT, name="later", time="2999-01-01T00:00:00.000+00:00"))
    assert incidents.open_in("production") == [again, first]
    assert incidents.open_in("staging") == []
    assert incidents.close("another", "production") == incidents.close(INCIDENT.model_version, "staging") == []
    closed = incidents.close(INCIDENT.model_version, "production")
    assert [each.name for each in closed] == [again.name, first.name]
    assert incidents.open_in("production") == []
    assert incidents.all() == closed


def test_what_became_of_the_alias_is_noted_and_shown_with_the_figures(tmp_path: Path) -> None:
    noted = Incidents(tmp_path).note_alias(Incidents(tmp_path).report(INCIDENT), "'production' is version 7 again")
    shown = noted.markdown()
    assert "| alias | 'production' is version 7 again |" in shown
    assert r"5 of 20 pictures \| or so" in shown
    assert shown.endswith(INCIDENT.seen)
    assert "NOT back" not in shown
    assert "NOT back" in replace(noted, restored=False).markdown()


def test_a_file_that_is_no_incident_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"odd": 1}')
    with pytest.raises(DeploymentError, match=r"x\.json is no incident"):
        Incidents(tmp_path).all()
