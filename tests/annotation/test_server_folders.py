"""Folders of the server: only those that its settings name, without leaving them, every file itemised."""

from __future__ import annotations

import pytest

from annotation import jobkit, jobs  # noqa: F401  what a worker imports
from annotation.models import Image, Job
from tests.cast import picture


@pytest.fixture
def root(settings, tmp_path):
    """A root "photos" with a trip in it, beside a secret."""
    folder = tmp_path / "outside" / "photos"
    (folder / "trip" / "day one").mkdir(parents=True)
    (folder / "trip" / "a.jpg").write_bytes(picture(seed=1))
    (folder / "trip" / "day one" / "b.jpg").write_bytes(picture(seed=2))
    (folder / "trip" / "words.jpg").write_bytes(b"words")
    (folder / "trip" / ".hidden.jpg").write_bytes(picture(seed=3))
    secret = tmp_path / "outside" / "secret"
    secret.mkdir()
    (secret / "s.jpg").write_bytes(picture(seed=4))
    (folder / "door").symlink_to(secret)
    (folder / "trip" / "link.jpg").symlink_to(secret / "s.jpg")
    settings.ANYMASK_SERVER_FOLDERS = [str(folder)]
    return folder


@pytest.fixture
def send(cast, as_):
    def one(folder: str, **rights: str):
        url = f"/api/datasets/{cast.dataset.pk}/server-folders/"
        return as_(cast.ana).post(url, {"folder": folder, **rights})

    return one


def test_without_the_setting_nothing_is_offered(cast, as_, send):
    assert as_(cast.ana).get(f"/api/datasets/{cast.dataset.pk}/server-folders/").json() == {"folders": []}
    assert send("etc").status_code == 404


def test_a_folder_is_taken_whole_and_every_refusal_is_named(root, cast, as_, send):
    listed = as_(cast.ana).get(f"/api/datasets/{cast.dataset.pk}/server-folders/").json()
    assert listed == {"folders": ["photos", "photos/trip"]}
    answer = send("photos/trip", licence="CC0")
    assert answer.status_code == 202
    jobkit.run_pending(dataset=cast.dataset)
    result = Job.objects.get(kind="import_server_folder").result
    assert (result["files"], result["added"], result["known"], result["refused"]) == (3, 2, 0, 1)
    assert [(row["name"], row["code"]) for row in result["refusals"]] == [("words.jpg", "not_an_image")]
    assert sorted(Image.objects.values_list("file_name", "licence")) == [("a.jpg", "CC0"), ("b.jpg", "CC0")]
    assert (root / "trip" / "a.jpg").read_bytes() == picture(seed=1), "the server's files stay"
    send("photos/trip")
    jobkit.run_pending(dataset=cast.dataset)
    assert Job.objects.filter(kind="import_server_folder").first().result["known"] == 2


@pytest.mark.parametrize(
    "name", ["photos/..", "photos/../secret", "../secret", "/etc", "photos/door", "photos//trip", "secret", ""]
)
def test_nothing_else_can_be_reached(root, send, name):
    answer = send(name)
    assert answer.status_code in (400, 404)
    assert not Job.objects.exists()
