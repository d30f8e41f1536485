"""Embeddings stay within their room; what people hold or wait for stays, the rest is made again when asked for."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from annotation import jobkit, storage
from annotation.models import Job, Task
from engine import eviction, jobs
from engine.embeddings import embedding_request, file_path, readiness
from engine.models import Embedding, ServingModel
from tests.cast import add_image
from tests.engine.conftest import version_row

SIZE = 1000
MEBIBYTE = 1024 * 1024


@pytest.fixture
def newer(cast, base):
    """The version that serves since the last promotion."""
    version = version_row("newer", dataset=cast.dataset, state="promoted")
    ServingModel.objects.create(dataset=cast.dataset, version=version)
    return version


class Made(NamedTuple):
    """What the encoder leaves."""

    byte_size: int


def stored(image, version) -> Embedding:
    path = file_path(image, version)
    storage.write_atomic(path, bytes(SIZE))
    return Embedding.objects.create(image=image, version=version, path=path, layout=[], frame={}, byte_size=SIZE)


def test_what_was_replaced_goes_first_then_what_is_done_and_never_what_is_waited_for(
    cast, base, newer, settings, django_capture_on_commit_callbacks
):
    replaced, done, waiting, held = (add_image(cast.dataset, seed=seed) for seed in range(4))
    Task.objects.filter(image=done).update(state="submitted")
    Task.objects.filter(image=held).update(state="claimed", assignee=cast.ben)
    rows = {
        "held, by the version it was begun with": stored(held, base),
        "waiting": stored(waiting, newer),
        "done": stored(done, newer),
        "replaced": stored(replaced, base),
    }
    gone = []
    for room in (4, 3, 2, 1):
        settings.ANYMASK_EMBEDDING_BYTES = int(room * SIZE / eviction.DOWN_TO) + 1
        with django_capture_on_commit_callbacks(execute=True):
            eviction.embeddings_evict()
        left = set(Embedding.objects.values_list("pk", flat=True))
        gone.append([name for name, row in rows.items() if row.pk not in left])
    assert gone == [[], ["replaced"], ["done", "replaced"], ["done", "replaced"]]
    assert not storage.full(rows["done"].path).exists()
    assert storage.full(rows["waiting"].path).exists()


def test_it_begins_by_itself_and_what_went_is_asked_for_again(cast, base, settings):
    image = add_image(cast.dataset)
    Task.objects.filter(image=image).update(state="submitted")
    stored(image, base)
    settings.ANYMASK_EMBEDDING_BYTES = 2 * SIZE
    eviction.eviction_consider()
    assert not Job.objects.exists()
    settings.ANYMASK_EMBEDDING_BYTES = SIZE // 2
    eviction.eviction_consider()
    eviction.eviction_consider()
    job = Job.objects.get()
    jobkit.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result) == ("succeeded", {"removed": 1, "bytes": SIZE, "left": 0})
    assert readiness(image).state == "absent"


@pytest.mark.parametrize("lack", ["room for embeddings", "room on the disk"])
def test_without_room_nothing_is_prepared_ahead_but_what_somebody_opens(cast, base, settings, monkeypatch, lack):
    first, image = add_image(cast.dataset), add_image(cast.dataset, seed=1)
    stored(first, base)  # of an open task: no eviction makes room of it
    monkeypatch.setattr(eviction, "_counted", (-float("inf"), 0))
    if lack == "room for embeddings":
        settings.ANYMASK_EMBEDDING_BYTES = SIZE
    else:
        settings.ANYMASK_MIN_FREE_BYTES = 1 << 60
    asked = []
    monkeypatch.setattr(jobs.embeddings, "image_embed", lambda *, image, version: asked.append(image) or Made(SIZE))
    ahead = embedding_request(image=image, soon=False)
    jobkit.run(ahead.pk)
    ahead.refresh_from_db()
    assert (ahead.state, asked) == ("succeeded", [])
    assert readiness(image).state == "absent", "whoever opens it has it prepared"
    jobkit.run(embedding_request(image=image).pk)
    assert asked == [image]


def test_with_room_images_are_prepared_ahead(cast, base, monkeypatch):
    image = add_image(cast.dataset)
    monkeypatch.setattr(eviction, "_counted", (-float("inf"), 0))
    asked = []
    monkeypatch.setattr(jobs.embeddings, "image_embed", lambda *, image, version: asked.append(image) or Made(SIZE))
    jobkit.run(embedding_request(image=image, soon=False).pk)
    assert asked == [image]


def test_without_a_limit_a_third_of_the_disk_is_the_room(db, settings):
    settings.ANYMASK_EMBEDDING_BYTES = 0
    assert eviction.limit_bytes() > 100 * MEBIBYTE
