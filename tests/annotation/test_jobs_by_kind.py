"""Exports and imports are found, however many pictures were prepared since."""

from __future__ import annotations

from annotation.models import Job


def test_an_import_is_listed_behind_the_preparation_of_its_pictures(cast, as_):
    common = {"title": "x", "dataset": cast.dataset, "state": "succeeded"}
    asked = [Job.objects.create(kind=kind, queue="io", **common) for kind in ("import", "export", "freeze_version")]
    for _ in range(120):
        Job.objects.create(kind="prepare_image", queue="batch", **common)
    url = f"/api/datasets/{cast.dataset.pk}/jobs/"
    first = as_(cast.vic).get(url).json()
    assert str(asked[0].pk) not in {row["id"] for row in first["results"]}, "the first page is full without it"
    found = as_(cast.vic).get(f"{url}?kind=export,import").json()
    assert [row["id"] for row in found["results"]] == [str(asked[1].pk), str(asked[0].pk)]
    assert found["next"] is None
    assert as_(cast.vic).get(f"{url}?kind=none").json()["results"] == []
    assert len(as_(cast.vic).get(f"{url}?kind=,&state=succeeded").json()["results"]) > 3
    assert as_(cast.cyd).get(f"{url}?kind=import").status_code == 404
