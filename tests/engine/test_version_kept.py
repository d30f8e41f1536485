"""Somebody who is at work keeps the model that they started with, whatever serves meanwhile."""

from __future__ import annotations

import uuid

from annotation import jobkit, storage
from annotation.models import Job, Mask, Task
from engine import jobs  # noqa: F401  binds the functions of the jobs
from engine.models import Embedding, ServingModel
from engine.promotion import version_restore
from tests.cast import mask_body
from tests.engine.conftest import version_row


def open_editor(image, version) -> Embedding:
    """An image that is encoded for a version, as somebody's editor has it open."""
    path = storage.path_for("embeddings", version.digest, image.sha256[:2], f"{image.sha256}.f16")
    storage.write_atomic(path, b"\x00" * 8)
    layout = [{"name": "image_embeddings", "shape": [1, 2, 2]}]
    frame = {name: [image.height, image.width] for name in ("original_size", "input_size", "padded_size")}
    return Embedding.objects.create(image=image, version=version, path=path, layout=layout, frame=frame, byte_size=8)


def test_an_open_editor_keeps_its_version_through_a_switch(image, cast, base, as_, django_capture_on_commit_callbacks):
    ben = as_(cast.ben)
    task = Task.objects.get(image=image)
    Task.objects.filter(pk=task.pk).update(state=Task.State.CLAIMED, assignee=cast.ben)
    open_editor(image, base)
    started = ben.get(f"/api/images/{image.pk}/embedding/").json()
    assert (started["state"], started["model"]) == ("ready", base.digest)

    newer = version_row("newer", dataset=cast.dataset, state="promoted")
    with django_capture_on_commit_callbacks(execute=True):
        version_restore(dataset_id=cast.dataset.pk, digest=newer.digest, by=cast.ana)
    rebuild = Job.objects.get(kind="rebuild_embeddings")
    jobkit.run(rebuild.pk)
    rebuild.refresh_from_db()
    assert rebuild.result == {"queued": 1}  # the new version looks at the image of the claimed task, too

    # What the editor has loaded is still there under its address, and can be asked for by name.
    named = ben.get(f"/api/images/{image.pk}/embedding/?model={base.digest}").json()
    assert (named["state"], named["model"], named["url"]) == ("ready", base.digest, started["url"])
    assert ben.get(started["url"]).status_code == 200

    # The mask made with it says so; who opens the image now gets the new version.
    made = ben.put(f"/api/masks/{uuid.uuid4()}/", mask_body(image, model=base.digest), format="json")
    assert made.status_code == 201, made.content
    assert Mask.objects.get().model == base.digest
    assert ServingModel.objects.get(dataset=cast.dataset).version == newer
    opened_later = ben.get(f"/api/images/{image.pk}/embedding/").json()
    assert (opened_later["state"], opened_later["model"]) == ("pending", newer.digest)
