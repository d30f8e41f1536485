"""Maps from outside: which picture each belongs to, what their values mean, and our own that come back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from annotation.models import Dataset, Image, Mask
from annotation.services import exports, imports
from modelzoo import rle
from tests.annotation.test_import_formats import HEIGHT, WIDTH, box, bring, masks_on, png
from tests.annotation.test_round_trip import content, silent
from tests.cast import add_image, add_mask, ellipse, picture


def test_png_maps(cast, tmp_path):
    instances = np.zeros((HEIGHT, WIDTH), np.uint16)
    instances[5:10, 5:10], instances[20:30, 40:50], instances[0, 0] = 1, 700, 3
    files = {
        "set/images/a.jpg": picture(seed=1),
        "set/instances/a.png": png(instances),
        "set/images/b.jpg": picture(seed=2),
        "set/masks/b/1.png": png(box(1, 1, 5, 5).astype(np.uint8) * 255),
        "set/masks/b/2.png": png(np.repeat(box(9, 9, 15, 15)[..., None].astype(np.uint8) * 255, 3, axis=2)),
        "set/images/c.jpg": picture(seed=3),
        "set/instances/c.png": png(np.ones((10, 10), np.uint8)),
        "set/instances/lost.png": png(instances),
    }
    report = bring(cast, tmp_path / "in", files)
    assert (report["format"], report["images_new"], report["masks_new"]) == ("png_instances", 3, 5), report
    assert {refusal["code"] for refusal in report["refusals"]} == {"image_size_mismatch", "picture_missing"}
    masks = [rle.decode(mask.segmentation) for mask in Mask.objects.order_by("image", "serial")]
    expected = [box(5, 5, 10, 10), box(0, 0, 1, 1), box(40, 20, 50, 30), box(1, 1, 5, 5), box(9, 9, 15, 15)]
    assert all(np.array_equal(one, other) for one, other in zip(masks, expected, strict=True))


def test_png_label_maps_fall_apart_into_parts(cast, tmp_path):
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[5:10, 5:10], labels[20:30, 40:50], labels[32:35, 1:4] = 1, 1, 2
    files = {
        "images/a.jpg": picture(),
        "labels/a.png": png(labels),
        "labels.json": '{"0": "background", "1": "pear", "2": "object", "x": 3}',
    }
    report = bring(cast, tmp_path / "in", files)
    assert (report["format"], report["masks_new"], report["refused"]) == ("png_labels", 3, 0), report
    assert sorted(Mask.objects.values_list("category", "area")) == [("", 9), ("pear", 25), ("pear", 100)]


def test_coco_panoptic(cast, tmp_path):
    ids = np.zeros((HEIGHT, WIDTH), np.uint32)
    ids[5:10, 5:10], ids[20:30, 40:50], ids[32:35, 1:4], ids[0, 0] = 7, 300, 70_000, 9
    colours = np.stack([ids & 255, ids >> 8 & 255, ids >> 16], axis=-1).astype(np.uint8)
    segments = [{"id": 7, "category_id": 1, "iscrowd": 1}, {"id": 300, "category_id": 2}, {"id": 70_000}]
    document = {
        "images": [
            {"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT},
            {"id": 2, "file_name": "b.jpg", "width": WIDTH, "height": HEIGHT},
        ],
        "categories": [{"id": 1, "name": "crowd of pears"}, {"id": 2, "name": "sky"}],
        "annotations": [
            {"image_id": 1, "file_name": "a.png", "segments_info": [*segments, {"id": "x"}, 3, {"id": 2**30}]},
            {"image_id": 2, "file_name": "b.png", "segments_info": segments},
            {"image_id": 2, "file_name": "../../etc/passwd", "segments_info": None},
        ],
    }
    files = {
        "val/images/a.png": picture(seed=1, kind="PNG"),
        "val/images/b.jpg": picture(seed=2),
        "val/annotations/panoptic_val.json": json.dumps(document),
        "val/annotations/panoptic_val/a.png": png(colours),
    }
    report = bring(cast, tmp_path / "in", files)
    assert (report["format"], report["images_new"], report["masks_new"]) == ("coco_panoptic", 2, 3), report
    assert [refusal["code"] for refusal in report["refusals"]] == ["map_missing"] * 2
    assert sorted(Mask.objects.values_list("category", "area", "crowd")) == [
        ("", 9, False),
        ("crowd of pears", 25, True),
        ("sky", 100, False),
    ]


def binary(*place: int) -> bytes:
    """A black and white map of one box."""
    return png(box(*place).astype(np.uint8) * 255)


# --- Whose map it is -------------------------------------------------------------------------------------------------


def test_a_mask_in_the_folder_of_a_picture_is_on_that_picture(cast, tmp_path):
    """Ana numbers her pictures, and the masks of each: mask 1 of picture 7 is not one of picture 1."""
    one, seven = picture(seed=1), picture(seed=7)
    files = {"images/1.jpg": one, "images/7.jpg": seven, "masks/1/7.png": binary(1, 1, 5, 5)}
    files |= {"masks/7/1.png": binary(9, 9, 15, 15), "masks/7/2.png": binary(20, 20, 25, 25)}
    report = bring(cast, tmp_path / "in", files)
    assert (report["format"], report["masks_new"], report["refused"]) == ("png_instances", 3, 0), report
    assert masks_on(one) == [box(1, 1, 5, 5).tolist()]
    assert masks_on(seven) == [box(9, 9, 15, 15).tolist(), box(20, 20, 25, 25).tolist()]


def test_a_mask_whose_picture_is_one_of_two_is_on_neither(cast, tmp_path):
    files = {"a/7.jpg": picture(seed=1), "b/7.jpg": picture(seed=2), "a/1.jpg": picture(seed=3)}
    report = bring(cast, tmp_path / "in", files | {"masks/7/1.png": binary(1, 1, 5, 5)})
    assert (report["images_new"], report["masks_new"]) == (3, 0)
    assert [refusal["code"] for refusal in report["refusals"]] == ["picture_missing"]


@pytest.mark.parametrize(
    ("label", "train", "val"),
    [
        ("labels/train/a.png", "images/train/a.jpg", "images/val/a.jpg"),
        ("train/labels/a.png", "train/images/a.jpg", "val/images/a.jpg"),
        ("labels/train/a.png", "train/a.jpg", "val/a.jpg"),
        ("annotations/labels/train/a.png", "photographs/train/a.jpg", "photographs/val/a.jpg"),
        ("train/a_label.png", "train/a.jpg", "val/a.jpg"),
    ],
)
def test_a_map_is_of_the_picture_at_the_same_place(cast, tmp_path, label, train, val):
    mine, other = picture(seed=1), picture(seed=2)
    report = bring(cast, tmp_path / "in", {train: mine, val: other, label: binary(1, 1, 5, 5)})
    assert (report["format"], report["masks_new"], report["refused"]) == ("png_labels", 1, 0), report
    assert (len(masks_on(mine)), len(masks_on(other))) == (1, 0)


def test_a_map_without_picture_does_not_go_to_a_namesake(cast, tmp_path):
    val = picture(seed=2)
    files = {"val/odd/a.jpg": val, "val/labels/a.png": binary(1, 1, 5, 5), "train/labels/a.png": binary(9, 9, 15, 15)}
    report = bring(cast, tmp_path / "in", files)
    assert (report["masks_new"], report["refused"]) == (0, 2), "nobody can say which of the two is meant"
    files = {"val/images/a.jpg": val, **{name: files[name] for name in files if name.endswith(".png")}}
    report = bring(cast, tmp_path / "other", files)
    assert (report["masks_new"], [one["item"] for one in report["refusals"]]) == (1, ["train/labels/a.png"])
    assert masks_on(val) == [box(1, 1, 5, 5).tolist()]


# --- Pascal VOC ------------------------------------------------------------------------------------------------------


def voc() -> tuple[np.ndarray, np.ndarray]:
    """(class map, object map): two sheep that touch, with their rim."""
    kinds, objects = np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
    kinds[5:15, 5:25], kinds[4, 5:25] = 17, 255
    objects[5:15, 5:15], objects[5:15, 15:25], objects[4, 5:25] = 1, 2, 255
    return kinds, objects


def test_pascal_voc_with_both_kinds_of_map(cast, tmp_path):
    kinds, objects = voc()
    files = {
        "VOC/JPEGImages/a.jpg": picture(),
        "VOC/SegmentationClass/a.png": png(kinds),
        "VOC/SegmentationObject/a.png": png(objects),
    }
    report = bring(cast, tmp_path / "in", files)
    assert (report["format"], report["images_new"], report["masks_new"]) == ("png_instances", 1, 2), report
    assert [refusal["code"] for refusal in report["refusals"]] == ["map_other_kind"]
    assert masks_on(files["VOC/JPEGImages/a.jpg"]) == [box(5, 5, 15, 15).tolist(), box(15, 5, 25, 15).tolist()]
    report = bring(cast, tmp_path / "in", files, "png_labels")
    assert (report["images_new"], report["images_known"], report["masks_new"]) == (0, 1, 1)


def test_the_rim_of_pascal_voc_is_no_object(cast, tmp_path):
    kinds, _ = voc()
    files = {"JPEGImages/a.jpg": picture(seed=1), "SegmentationClass/a.png": png(kinds)}
    files |= {"JPEGImages/b.jpg": picture(seed=2), "SegmentationClass/b.png": binary(1, 1, 5, 5)}
    report = bring(cast, tmp_path / "in", files)
    assert (report["format"], report["masks_new"], report["refused"]) == ("png_labels", 2, 0), report
    assert masks_on(files["JPEGImages/a.jpg"]) == [box(5, 5, 25, 15).tolist()]
    assert masks_on(files["JPEGImages/b.jpg"]) == [box(1, 1, 5, 5).tolist()], "255 alone is an object"


# --- There and back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["png", "coco_panoptic"])
def test_maps_come_back_where_nothing_overlaps(cast, tmp_path, name):
    image = add_image(cast.dataset, seed=1)
    for place in (0.2, 0.5, 0.8):
        add_mask(image, ellipse(image, x=place, size=0.1), category=f"at {place}")
    out = tmp_path / "out"
    exports.export_folder(dataset=cast.dataset, export_format=name, out=out, progress=silent)
    copy = Dataset.objects.create(name="Copy")
    imports.import_folder(dataset=copy, folder=out, import_format="auto", user=cast.ana, progress=silent)
    assert list(content(copy).values()) == list(content(cast.dataset).values())


@pytest.mark.parametrize("name", ["png", "coco_panoptic"])
@pytest.mark.parametrize("kind", ["instances", "binary"])
def test_our_own_maps_come_back_from_below_another_folder(cast, tmp_path, name, kind):
    """Ben packs the folder that he got: all names have one more part."""
    image = add_image(cast.dataset, seed=1)
    for place in (0.2, 0.5, 0.8):
        add_mask(image, ellipse(image, x=place, size=0.1), category=f"at {place}")
    out, options = tmp_path / "in" / "panoptic fruit", {"kind": kind} if name == "png" else {}
    exports.export_folder(dataset=cast.dataset, export_format=name, out=out, progress=silent, options=options)
    copy = Dataset.objects.create(name="Copy")
    imports.import_folder(dataset=copy, folder=tmp_path / "in", import_format="auto", user=cast.ana, progress=silent)
    assert list(content(copy).values()) == list(content(cast.dataset).values())


def test_masks_of_pictures_whose_names_are_numbers_come_back(cast, tmp_path):
    """Nothing of a name in Japanese is left in an export, and the numbers of masks are those of pictures too."""
    first, second = add_image(cast.dataset, seed=1), add_image(cast.dataset, seed=2)
    Image.objects.update(file_name="写真.jpg")
    add_mask(first, ellipse(first, size=0.2), serial=second.pk, category="pear")
    add_mask(second, ellipse(second, size=0.4), serial=first.pk, category="plum")
    out = tmp_path / "out"
    exports.export_folder(
        dataset=cast.dataset, export_format="png", out=out, progress=silent, options={"kind": "binary"}
    )
    copy = Dataset.objects.create(name="Copy")
    imports.import_folder(dataset=copy, folder=out, import_format="auto", user=cast.ana, progress=silent)
    assert content(copy) == content(cast.dataset)


def test_panoptic_pictures_below_a_folder_called_panoptic(cast, tmp_path):
    ids = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    ids[5:10, 5:10, 0] = 7
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "pear"}],
        "annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": [{"id": 7, "category_id": 1}]}],
    }
    for pictures, maps in (
        ("images", "panoptic"),
        ("", "panoptic"),
        ("images", "panoptic_maps"),
        ("val", "panoptic_val"),
    ):
        top = f"set {pictures} {maps}/coco_panoptic"
        data = picture(seed=len(top), kind="PNG")
        files = {f"{top}/{pictures}/a.png": data, f"{top}/{maps}/a.png": png(ids)}
        report = bring(cast, tmp_path / top, {**files, f"{top}/{pictures or 'panoptic'}.json": json.dumps(document)})
        assert (report["format"], report["masks_new"], report["refused"]) == ("coco_panoptic", 1, 0), (top, report)
        assert masks_on(data) == [box(5, 5, 10, 10).tolist()]
