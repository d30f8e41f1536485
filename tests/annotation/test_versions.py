"""Versions: frozen once and for good, compared, exported as they were."""

from __future__ import annotations

import json
import uuid

import pytest

from annotation import jobkit, storage
from annotation import jobs as _jobs  # noqa: F401  binds the functions, as a worker does
from annotation.errors import UserError
from annotation.exported import ExportFilter
from annotation.models import Image, Mask, Version
from annotation.services import exports, statistics, versions
from annotation.services.images import image_delete
from annotation.services.masks import mask_delete, mask_save
from tests.annotation.test_round_trip import silent
from tests.cast import add_image, add_mask, ellipse


@pytest.fixture
def images(cast):
    """Three images with two masks each."""
    made = [add_image(cast.dataset, seed=seed) for seed in range(3)]
    for image in made:
        add_mask(image, ellipse(image, x=0.3, size=0.2), category="pear")
        add_mask(image, ellipse(image, x=0.7, size=0.2), category="fig")
    return made


def test_another_choice_is_not_taken_for_the_one_that_is_being_frozen(cast, as_, image):
    add_mask(image)
    url = f"/api/datasets/{cast.dataset.pk}/versions/"
    first = as_(cast.ana).post(url, {"note": ""})
    assert first.status_code == 202
    assert as_(cast.rae).post(url, {"note": ""}).json()["id"] == first.json()["id"]
    other = as_(cast.rae).post(url, {"note": "for the paper"})
    assert (other.status_code, other.json()["code"]) == (409, "version_open")
    assert other.json()["details"]["job"] == first.json()["id"]


def freeze(cast, **filters) -> Version:
    version, _ = versions.version_freeze(
        dataset=cast.dataset, note="", chosen=ExportFilter.of(filters), user=cast.ana, progress=silent
    )
    return version


def correct(cast, mask, **fields) -> Mask:
    body = {"segmentation": mask.segmentation, "source": "hand", "category": mask.category, "parent": mask.uuid}
    return mask_save(image=mask.image, mask_uuid=uuid.uuid4(), user=cast.ana, body={**body, **fields})[0]


def difference(old, new) -> dict:
    return versions.versions_compare(old=old, new=new).as_json()


def test_the_same_state_is_the_same_version(cast, images):
    one, two = freeze(cast), freeze(cast)
    assert (one.pk, one.number, one.images, one.masks) == (two.pk, 1, 3, 6)
    other = freeze(cast, categories=["pear"])
    assert (other.number, other.masks, other.filters) == (2, 3, {"categories": ["pear"]})


def test_what_happened_between_two_versions(cast, images):
    old = freeze(cast)
    pear, fig = images[0].masks.order_by("serial")
    correct(cast, pear, segmentation=add_mask(images[0], status="deleted").segmentation)
    mask_delete(mask=fig, user=cast.ana)
    add_mask(images[1], ellipse(images[1], size=0.1))
    image_delete(image=images[2])
    add_mask(add_image(cast.dataset, seed=9))
    found = difference(old, freeze(cast))
    assert found["images"] == {"added": 1, "removed": 1, "changed": 2, "kept": 0}
    assert found["masks"] == {"added": 2, "removed": 3, "changed": 1, "kept": 2}
    assert [row["what"] for row in found["listed"]] == ["changed", "changed", "removed", "added"]
    assert found["listed"][0] == {
        "image": images[0].pk,
        "what": "changed",
        "added": 0,
        "removed": 1,
        "changed": 1,
        "file_name": images[0].file_name,
    }
    assert found["listed"][2]["file_name"] == ""


def test_corrections_of_corrections_are_one_object(cast, images):
    old = freeze(cast)
    mask = images[0].masks.first()
    for category in ("apple", "quince", mask.category):
        mask = correct(cast, mask, category=category)
    assert difference(old, freeze(cast))["masks"] == {"added": 0, "removed": 0, "changed": 0, "kept": 6}
    correct(cast, mask, category="apple")
    assert difference(old, freeze(cast))["masks"] == {"added": 0, "removed": 0, "changed": 1, "kept": 5}


def test_a_version_is_exported_as_it_was(cast, images, tmp_path):
    def export(name, version=None):
        exports.export_folder(
            dataset=cast.dataset, export_format="coco", out=tmp_path / name, progress=silent, version=version
        )
        return json.loads((tmp_path / name / "annotations.json").read_text())

    before = export("before")
    version = freeze(cast)
    for mask in list(Mask.objects.all()):
        correct(cast, mask, category="apple")
    mask_delete(mask=Mask.objects.filter(status="accepted").last(), user=cast.ana)
    after = export("after", version.number)
    assert [row["id"] for row in after["annotations"]] == [row["id"] for row in before["annotations"]]
    for old, new in zip(before["annotations"], after["annotations"], strict=True):
        assert (old["segmentation"], old["bbox"]) == (new["segmentation"], new["bbox"])
    manifest = json.loads((tmp_path / "after" / "manifest.json").read_text())
    assert manifest["version"]["digest"] == version.digest
    image_delete(image=images[0])
    assert len(export("later", version.number)["images"]) == 2, "what was removed for good is in no export"


def test_by_the_page(cast, images, as_):
    client, url = as_(cast.rae), f"/api/datasets/{cast.dataset.pk}/versions/"
    assert client.post(url, {"note": "first"}, format="json").status_code == 202
    jobkit.run_pending()
    add_mask(images[0], ellipse(images[0], size=0.1))
    client.post(url, {"note": "second"}, format="json")
    jobkit.run_pending()
    listed = as_(cast.vic).get(url).json()
    assert [(row["number"], row["note"], row["masks"], row["created_by"]) for row in listed] == [
        (2, "second", 7, "rae"),
        (1, "first", 6, "rae"),
    ]
    found = as_(cast.vic).get(f"{url}2/changes/?since=1").json()
    assert found["masks"] == {"added": 1, "removed": 0, "changed": 0, "kept": 6}
    for wrong, status in (("since=x", 400), ("", 400), ("since=99", 404)):
        assert client.get(f"{url}2/changes/?{wrong}").status_code == status
    started = client.post(
        f"/api/datasets/{cast.dataset.pk}/exports/", {"format": "coco", "version": 1}, format="json"
    ).json()
    jobkit.run_pending()
    result = client.get(f"/api/jobs/{started['id']}/").json()["result"]
    assert (result["version"], result["masks"]) == (1, 6)


def test_wrong_wishes_are_sentences(cast, images, as_):
    freeze(cast)
    url = f"/api/datasets/{cast.dataset.pk}/exports/"
    filtered = {"format": "coco", "version": 1, "filters": {"categories": ["pear"]}}
    assert as_(cast.rae).post(url, filtered, format="json").json()["code"] == "version_filtered"
    missing = as_(cast.rae).post(url, {"format": "coco", "version": 7}, format="json")
    assert (missing.status_code, missing.json()["code"]) == (404, "version_missing")
    with pytest.raises(UserError):
        freeze(cast, categories=["none such"], masked=True)


def test_a_version_goes_with_its_dataset(cast, images, as_, django_capture_on_commit_callbacks):
    path = storage.full(freeze(cast).path)
    assert path.is_file()
    with django_capture_on_commit_callbacks(execute=True):
        assert as_(cast.ana).delete(f"/api/datasets/{cast.dataset.pk}/").status_code == 204
    assert not path.exists()


@pytest.mark.parametrize("name", ["coco", "sa1b", "geojson", "parquet", "coco_panoptic"])
def test_a_version_gives_the_same_bytes_whatever_happened_since(cast, images, tmp_path, name):
    def export(folder) -> dict[str, str]:
        out = tmp_path / folder
        exports.export_folder(
            dataset=cast.dataset, export_format=name, out=out, progress=silent, version=version.number
        )
        files = (path for path in out.rglob("*") if path.is_file())
        return {str(path.relative_to(out)): storage.sha256_of(path) for path in files}

    add_mask(images[0], status="proposed", source="model", category="guess")
    version = freeze(cast, statuses=["accepted", "proposed"])
    before = export("before")
    for mask in list(images[0].masks.filter(status="accepted")):
        correct(cast, mask, category="apple")
    new = add_image(cast.dataset, seed=9)
    new.licence = "A licence that nothing had"
    new.save()
    add_mask(new, category="aardvark")
    cast.dataset.description = "Something else"
    cast.dataset.licence = "CC0"
    cast.dataset.save()
    statistics.statistics_request(dataset=cast.dataset, user=cast.ana)
    jobkit.run_pending()
    assert export("after") == before


def names_of(cast, version, out) -> dict[str, int]:
    """Category -> number in an export of a version."""
    exports.export_folder(dataset=cast.dataset, export_format="coco", out=out, progress=silent, version=version.number)
    told = json.loads((out / "annotations.json").read_text())["categories"]
    return {row["name"]: row["id"] for row in told}


def test_versions_of_two_selections_number_categories_the_same(cast, images, tmp_path):
    Image.objects.filter(pk=images[0].pk).update(split="validation")
    Image.objects.filter(pk=images[1].pk).update(split="train")
    Image.objects.filter(pk=images[2].pk).update(split="train")
    images[0].masks.filter(category="fig").update(category="apple")
    train, validation = freeze(cast, splits=["train"]), freeze(cast, splits=["validation"])
    add_mask(images[0], category="aardvark")
    told = names_of(cast, train, tmp_path / "train")
    assert told == {"apple": 1, "fig": 2, "pear": 3}
    assert names_of(cast, validation, tmp_path / "validation") == told


def test_the_numbers_of_a_version_stay_when_somebody_refuses(cast, images, tmp_path):
    add_mask(images[0], category="apple")
    version = freeze(cast)
    told = names_of(cast, version, tmp_path / "before")
    Image.objects.filter(pk=images[0].pk).update(consent=Image.Consent.REFUSED)
    assert names_of(cast, version, tmp_path / "after") == told == {"apple": 1, "fig": 2, "pear": 3}


def test_a_version_that_was_frozen_without_a_list_of_categories_has_those_of_its_masks(cast, images, tmp_path):
    images[0].masks.filter(category="pear").update(category="apple")
    version = freeze(cast, categories=["apple", "pear"])
    known = storage.full(version.path).with_suffix(".json")
    told = json.loads(known.read_text())
    del told["categories"]
    known.write_text(json.dumps(told))
    Image.objects.filter(pk=images[0].pk).update(consent=Image.Consent.REFUSED)
    assert names_of(cast, version, tmp_path / "out") == {"apple": 1, "pear": 2}


def test_whoever_refuses_later_is_in_no_version(cast, images, tmp_path):
    version = freeze(cast)
    Image.objects.filter(pk=images[1].pk).update(consent=Image.Consent.REFUSED)
    frozen = [image.pk for image, _ in versions.version_records(version)]
    assert frozen == [images[0].pk, images[2].pk]
    assert versions.versions_compare(old=version, new=version).as_json()["masks"]["kept"] == 6
    by_name = freeze(cast, consents=["refused"])
    assert [image.pk for image, _ in versions.version_records(by_name)] == [images[1].pk]
