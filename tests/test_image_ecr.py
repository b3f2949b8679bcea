"""Amazon's registry, against a real server of its API on this machine."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from tests.rig import free_port
from tests.s3 import AWS, serving
from wms_ml.errors import DeploymentError
from wms_resources.images import ecr
from wms_resources.images.images import Images
from wms_resources.images.registry_login import Credentials

ACCOUNT = "123456789012"
REPOSITORY = f"{ACCOUNT}.dkr.ecr.eu-north-1.amazonaws.com/team/reading-window"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture(autouse=True)
def aws(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account without repositories."""
    httpx.post(f"{server}/moto-api/reset").raise_for_status()
    for name, value in {**AWS, "AWS_ENDPOINT_URL": server}.items():
        monkeypatch.setenv(name, value)


def client() -> Any:
    return boto3.client("ecr", region_name="eu-north-1")


@pytest.mark.parametrize(
    ("repository", "is_one"),
    [
        (REPOSITORY, True),
        (REPOSITORY.replace("amazonaws.com", "amazonaws.com.cn"), True),
        ("127.0.0.1:5000/reading-window", False),
        ("registry.example/123456789012.dkr.ecr.eu-north-1.amazonaws.com/name", False),
    ],
)
def test_a_repository_of_ecr_is_known_by_its_host(repository: str, is_one: bool) -> None:
    assert ecr.is_ecr(repository) == is_one


def test_a_missing_repository_is_made_with_scans_fixed_tags_and_a_policy() -> None:
    ecr.prepare(REPOSITORY, keep=30)
    (made,) = client().describe_repositories(repositoryNames=["team/reading-window"])["repositories"]
    assert made["registryId"] == ACCOUNT
    assert made["imageTagMutability"] == "IMMUTABLE"
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    kept = client().get_lifecycle_policy(repositoryName="team/reading-window")["lifecyclePolicyText"]
    counts = [rule["selection"]["countNumber"] for rule in json.loads(kept)["rules"]]
    assert counts == [7, 30, 30]


def test_a_repository_that_is_there_keeps_its_settings_and_its_policy() -> None:
    client().create_repository(repositoryName="team/reading-window", imageTagMutability="MUTABLE")
    own = json.dumps(ecr.lifecycle(5))
    client().put_lifecycle_policy(repositoryName="team/reading-window", lifecyclePolicyText=own)
    ecr.prepare(REPOSITORY, keep=30)
    (kept,) = client().describe_repositories(repositoryNames=["team/reading-window"])["repositories"]
    assert kept["imageTagMutability"] == "MUTABLE"
    assert client().get_lifecycle_policy(repositoryName="team/reading-window")["lifecyclePolicyText"] == own


def test_a_preparation_that_was_killed_is_completed() -> None:
    client().create_repository(repositoryName="team/reading-window")
    ecr.prepare(REPOSITORY, keep=30)
    assert client().get_lifecycle_policy(repositoryName="team/reading-window")["lifecyclePolicyText"]


def test_aws_credentials_give_a_password_of_the_registry() -> None:
    shown = ecr.login(REPOSITORY)
    assert shown.user == "AWS"
    assert shown.password
    assert shown.password not in repr(shown)


def test_images_in_ecr_need_no_other_credentials_unless_some_are_given(tmp_path: Path) -> None:
    images = Images(REPOSITORY, tmp_path, "base", tmp_path)
    assert images.login().user == "AWS"
    own = Credentials("deployer", "a long word")
    assert replace(images, credentials=own).login() == own


def test_no_credentials_are_an_error_that_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(DeploymentError, match=r"no AWS credentials.*AWS_ACCESS_KEY_ID.*AWS_PROFILE"):
        ecr.login(REPOSITORY)


def test_aws_that_is_away_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(DeploymentError, match="AWS cannot be reached"):
        ecr.login(REPOSITORY)


@contextmanager
def refusing(code: str) -> Iterator[str]:
    """A server that refuses every call, as AWS does with this code."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(400)
            self.end_headers()
            self.wfile.write(json.dumps({"__type": code, "message": "no"}).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("UnrecognizedClientException", "does not know these credentials; check AWS_ACCESS_KEY_ID"),
        ("ExpiredTokenException", "have expired.*aws sso login"),
        ("AccessDeniedException", "grant them ecr:"),
        ("ServerException", "ECR refused us"),
    ],
)
def test_a_refusal_is_an_error_with_its_remedy(monkeypatch: pytest.MonkeyPatch, code: str, remedy: str) -> None:
    with refusing(code) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(DeploymentError, match=remedy):
            ecr.prepare(REPOSITORY, keep=30)
