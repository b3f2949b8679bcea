"""The store when something is wrong: outages, and entries that are no business of a drop."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from tests.builders import drop_folder
from wms_ml.errors import DropError, StoreError
from wms_resources.drop_folder import drop_files
from wms_resources.readiness import NotReady
from wms_resources.store import Store


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return drop_files(drop_folder(tmp_path / "mine", 3))


def test_a_folder_that_is_not_there_is_an_outage(tmp_path: Path, files: dict[str, Path]) -> None:
    store = Store(url=str(tmp_path / "unmounted"))
    for ask in (lambda: list(store.names()), lambda: store.put(files), lambda: store.look("x")):
        with pytest.raises(StoreError, match=r"unmounted.*WMS_STORE_URL"):
            ask()
    assert not (tmp_path / "unmounted").exists()


def test_a_file_where_the_drops_should_be_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "drops").write_text("x")
    with pytest.raises(StoreError, match="WMS_STORE_URL"):
        list(Store(url=str(tmp_path)).names())


def outages(monkeypatch: pytest.MonkeyPatch, bucket: str) -> dict[str, Callable[[], str]]:
    def elsewhere() -> str:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        return bucket

    def nobody() -> str:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        return bucket

    return {"unreachable": elsewhere, "no credentials": nobody, "no bucket": lambda: f"{bucket}-gone"}


@pytest.mark.parametrize(
    ("outage", "said"),
    [("unreachable", "connect"), ("no credentials", "credentials"), ("no bucket", "does not exist")],
)
def test_an_outage_of_a_bucket_is_named_and_over_when_it_is_over(
    bucket: str, monkeypatch: pytest.MonkeyPatch, files: dict[str, Path], outage: str, said: str
) -> None:
    from s3fs import S3FileSystem

    drop = Store(url=bucket).put(files, "first")
    with monkeypatch.context() as during:
        url = outages(during, bucket)[outage]()
        S3FileSystem.clear_instance_cache()
        store = Store(url=url)
        for ask in (lambda: list(store.names()), lambda: list(store.listings()), lambda: store.look("first")):
            with pytest.raises(StoreError, match=rf"(?i){url}.*{said}.*WMS_STORE_URL"):
                ask()
        with pytest.raises(StoreError, match=url):
            store.put(files, "second")
    S3FileSystem.clear_instance_cache()
    assert Store(url=bucket).drop("first") == drop
    assert list(Store(url=bucket).names()) == ["first"]


def test_entries_beside_the_two_folders_arrive_as_names_alone(tmp_path: Path) -> None:
    drop = tmp_path / "store/drops/x"
    (drop / "images").mkdir(parents=True)
    (drop / "labels.csv").write_text("a,b")
    store = Store(url=str(tmp_path / "store"), settle_seconds=0)
    assert (store.fetch(store.drop("x"), tmp_path / "staging") / "labels.csv").read_bytes() == b""


@pytest.mark.parametrize(
    "key", ["images/../../../outside.jpg", "images//a.jpg", "images/./a.jpg", f"images/{'n' * 300}", "images"]
)
def test_keys_of_a_bucket_cannot_lead_out_of_the_drop(bucket: str, tmp_path: Path, key: str) -> None:
    boto3.client("s3").put_object(Bucket=bucket.removeprefix("s3://"), Key=f"drops/x/{key}", Body=b"x")
    store = Store(url=bucket, settle_seconds=0)
    with pytest.raises(DropError, match="rename"):
        store.fetch(store.drop("x"), tmp_path / "staging" / "deep" / "er")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_link_in_a_folder_is_landed_as_a_link(tmp_path: Path) -> None:
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"secret")
    images = tmp_path / "store/drops/x/images"
    images.mkdir(parents=True)
    (images / "a.jpg").symlink_to(secret)
    store = Store(url=str(tmp_path / "store"), settle_seconds=0)
    assert (store.fetch(store.drop("x"), tmp_path / "staging") / "images/a.jpg").is_symlink()


def test_folders_that_a_console_made_are_no_files(bucket: str) -> None:
    client = boto3.client("s3")
    for key in ("drops/", "drops/x/", "drops/x/images/", "drops/x/images/a.jpg"):
        client.put_object(Bucket=bucket.removeprefix("s3://"), Key=key, Body=b"")
    assert [(name, [entry.path for entry in found]) for name, found in Store(url=bucket).listings()] == [
        ("x", ["images/a.jpg"])
    ]


def test_a_copy_that_keeps_old_times_has_to_settle_too(tmp_path: Path) -> None:
    picture = tmp_path / "store" / "drops" / "by-hand" / "images" / "a.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"x")
    long_ago = time.time() - 10_000
    os.utime(picture, (long_ago, long_ago))
    assert isinstance(Store(url=str(tmp_path / "store")).look("by-hand"), NotReady)


def test_a_file_that_rots_unseen_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    store = Store(url=str(tmp_path / "store"), own=True)
    drop = store.put(files, "first")
    victim = next(path for path in files if path.startswith("images/"))
    manifest = tmp_path / "store/drops/first/manifest.json"
    rotten = bytearray(files[victim].read_bytes())
    rotten[100] ^= 1
    (tmp_path / "store/drops/first" / victim).write_bytes(rotten)
    time.sleep(0.05)
    manifest.write_bytes(manifest.read_bytes())  # as if the manifest were younger than the damage
    with pytest.raises(DropError, match=f"{victim} is not what its manifest says"):
        store.fetch(store.drop("first"), tmp_path / "staging")
    assert not (tmp_path / "staging" / f"first-{drop.version}").exists()


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "..", "."])
def test_an_id_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "store/elsewhere/images").mkdir(parents=True)
    (tmp_path / "store/elsewhere/images/a.jpg").write_bytes(b"x")
    with pytest.raises(DropError, match="no id of a drop"):
        Store(url=str(tmp_path / "store"), settle_seconds=0).drop(name)
