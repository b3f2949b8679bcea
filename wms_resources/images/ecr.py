"""Amazon's registry (ECR): the repository is made when it is missing, and AWS credentials give a password for it.

A repository that is there keeps the settings somebody gave it. Everything else goes over the API of any registry.
"""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from wms_ml.errors import DeploymentError
from wms_resources.images.registry_login import Credentials

_HOST: Final = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<name>.+)")

_UNKNOWN: Final = ("UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException")
_EXPIRED: Final = ("ExpiredTokenException", "ExpiredToken", "RequestExpired")
_DENIED: Final = ("AccessDeniedException", "AccessDenied")
_GRANTS: Final = (
    "ecr:DescribeRepositories, CreateRepository, GetLifecyclePolicy, PutLifecyclePolicy, GetAuthorizationToken"
)


def is_ecr(repository: str) -> bool:
    """Whether a repository, `host/name`, is ECR's."""
    return _HOST.fullmatch(repository) is not None


def prepare(repository: str, keep: int) -> None:
    """Make the repository where it is missing: pushed images are scanned, their tags never move, old ones expire.

    Args:
        repository: `<account>.dkr.ecr.<region>.amazonaws.com/<name>`.
        keep: images of models, and as many of code, that a lifecycle policy leaves; one that is there stays.

    Raises:
        DeploymentError: AWS is away, or does not accept or allow us.
    """
    client, account, name = _client(repository)
    where = {"registryId": account, "repositoryName": name}
    with _reaching(repository):
        try:
            client.describe_repositories(registryId=account, repositoryNames=[name])
        except client.exceptions.RepositoryNotFoundException:
            _create(client, where)
        try:
            client.get_lifecycle_policy(**where)
        except client.exceptions.LifecyclePolicyNotFoundException:
            client.put_lifecycle_policy(**where, lifecyclePolicyText=json.dumps(lifecycle(keep)))


def login(repository: str) -> Credentials:
    """User and password for the registry, good for twelve hours.

    Raises:
        DeploymentError: AWS is away, or does not accept or allow us.
    """
    client, account, _ = _client(repository)
    with _reaching(repository):
        granted = client.get_authorization_token(registryIds=[account])["authorizationData"][0]
    user, _, password = base64.b64decode(granted["authorizationToken"]).decode().partition(":")
    return Credentials(user, password)


def lifecycle(keep: int) -> dict[str, Any]:
    """A policy that leaves the newest `keep` images of models and of code each, and nothing untagged for a week."""
    week = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7}
    rules = [("what no tag names, after a week", week)]
    for kind, prefix in (("models", "v"), ("code, with their bills of materials", "code-")):
        newest = {"tagStatus": "tagged", "tagPrefixList": [prefix], "countType": "imageCountMoreThan"}
        rules.append((f"images of {kind} but the newest", {**newest, "countNumber": keep}))
    return {
        "rules": [
            {"rulePriority": place, "description": said, "selection": chosen, "action": {"type": "expire"}}
            for place, (said, chosen) in enumerate(rules, start=1)
        ]
    }


def _create(client: Any, where: dict[str, str]) -> None:
    with suppress(client.exceptions.RepositoryAlreadyExistsException):  # another deployment was quicker
        client.create_repository(
            **where, imageTagMutability="IMMUTABLE", imageScanningConfiguration={"scanOnPush": True}
        )


def _client(repository: str) -> tuple[Any, str, str]:
    """A client for the repository's region, its account, and its name."""
    found = _HOST.fullmatch(repository)
    if not found:
        raise DeploymentError(
            f"WMS_IMAGE_REPOSITORY={repository} is not <account>.dkr.ecr.<region>.amazonaws.com/<name>"
        )
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise DeploymentError(
            f"{repository} is ECR's, which needs the aws extra: pip install wms-platform[aws]"
        ) from error
    patience = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 2, "mode": "standard"})
    with _reaching(repository):
        session = boto3.Session()  # the one that boto3 shares would keep credentials that have changed since
        return session.client("ecr", region_name=found["region"], config=patience), found["account"], found["name"]


@contextmanager
def _reaching(repository: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise DeploymentError(
            f"{repository}: there are no AWS credentials ({error}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or AWS_PROFILE, or give this machine a role"
        ) from error
    except ClientError as error:
        raise DeploymentError(f"{repository}: {_remedy(error.response['Error']['Code'])} ({error})") from error
    except BotoCoreError as error:
        raise DeploymentError(f"{repository}: AWS cannot be reached: {error}") from error


def _remedy(code: str) -> str:
    if code in _UNKNOWN:
        return "AWS does not know these credentials; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if code in _EXPIRED:
        return "these AWS credentials have expired; get new ones, for example with `aws sso login`"
    if code in _DENIED:
        return f"these AWS credentials may not do this; grant them {_GRANTS}, pushing and pulling"
    return "ECR refused us"
