"""A real S3 API on this machine: moto's server over HTTP, stopped by its process."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import boto3
import httpx

from tests.rig import free_port

AWS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@contextmanager
def serving() -> Iterator[str]:
    """Address of a server of its own."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx.get(address)
                break
            except httpx.TransportError:
                assert server.poll() is None, "the S3 server did not start"
                assert time.monotonic() < deadline, "the S3 server does not answer"
                time.sleep(0.05)
        yield address
    finally:
        server.kill()  # it holds nothing, and a busy one takes its time to end
        server.wait()


def new_bucket() -> str:
    """Address of an empty bucket on the server that the environment names."""
    name = f"drops-{uuid4().hex[:12]}"
    location = {"LocationConstraint": AWS["AWS_DEFAULT_REGION"]}
    boto3.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=location)
    return f"s3://{name}"
