"""Every test has its own data folder and no broker: what would be sent is written down instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from celery import current_app

from annotation import jobkit
from annotation.broker_line import Line
from annotation.jobcontext import JobContext
from tests import cast as people
from tests import scheduling
from tests.modelzoo.reference import pytest_terminal_summary  # noqa: F401  under xdist only this conftest is asked


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    scheduling.first_those_that_wait(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Ours in place of `--dist loadfile`; by the number of tests, the longest of them would come last."""
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return scheduling.Scheduling(config, log)


@pytest.fixture(autouse=True)
def data_folder(settings, tmp_path):
    """ANYMASK_DATA of this test."""
    settings.ANYMASK_DATA = tmp_path
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "incoming"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return tmp_path


@pytest.fixture(autouse=True)
def sent(monkeypatch) -> list[dict[str, Any]]:
    """Messages that went out: [{"name", "args", "queue"}]."""
    messages: list[dict[str, Any]] = []

    def send_task(name: str, args: Any = None, queue: str = "", **_options: Any) -> None:
        messages.append({"name": name, "args": args, "queue": queue})

    monkeypatch.setattr(current_app._get_current_object(), "send_task", send_task)
    monkeypatch.setattr(jobkit, "_line", Line())  # what one test breaks is whole for the next
    return messages


@pytest.fixture(autouse=True)
def lease_of_a_lone_transaction(request, monkeypatch):
    """In a test that is one transaction no lease is renewed: the thread's own connection would not see the job."""
    marker = request.node.get_closest_marker("django_db")
    if not (marker and marker.kwargs.get("transaction")) and "transactional_db" not in request.fixturenames:
        monkeypatch.setattr(JobContext, "_beat", lambda context: context._ended.wait())


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of an S3-compatible store: moto's server, the protocol over HTTP, in this process."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server, monkeypatch) -> str:
    """The same, with keys in the environment, where boto3 looks for them."""
    for name, value in {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "DEFAULT_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return s3_server


@pytest.fixture
def bucket(s3, settings):
    """The bucket that the installation's store is in; other things lie beside it."""
    import boto3

    from config.object_store import storage_of

    made = boto3.resource("s3", endpoint_url=s3).Bucket("team")
    made.create(CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    made.put_object(Key="anymask-old/images/1", Body=b"none of ours")
    settings.STORAGES = {**settings.STORAGES, "files": storage_of("s3://team/anymask", s3)}
    yield made
    made.objects.all().delete()
    made.delete()


@pytest.fixture
def move_to(settings, tmp_path):
    """`move_to("web")`: what follows runs on that machine."""

    def other(name: str):
        folder = tmp_path / name
        (folder / "incoming").mkdir(parents=True, exist_ok=True)
        settings.ANYMASK_DATA = folder
        settings.FILE_UPLOAD_TEMP_DIR = folder / "incoming"
        return folder

    return other


@pytest.fixture
def no_store(settings):
    """`no_store()`: from now on nobody answers where the store was."""
    from config.object_store import storage_of

    def go() -> None:
        entry = storage_of("s3://team/anymask", "http://127.0.0.1:9")
        entry["OPTIONS"]["client_config"].retries = {"max_attempts": 1, "mode": "standard"}
        settings.STORAGES = {**settings.STORAGES, "files": entry}

    return go


@pytest.fixture
def cast(db) -> people.Cast:
    """Ana, Rae, Ben, Vic, Cyd and the dataset "Fruit"."""
    return people.make_cast()


@pytest.fixture
def image(cast):
    """One image of the dataset."""
    return people.add_image(cast.dataset)


@pytest.fixture
def as_(cast):
    """`as_(cast.ben)` is a signed-in API client."""
    return people.client_of
