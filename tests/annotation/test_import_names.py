"""Which picture a document means: a namesake in another folder is never taken for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from annotation.formats.source import FileIndex
from tests.annotation.test_import_formats import HEIGHT, WIDTH, bring, masks_on
from tests.cast import picture

SQUARE = [[5, 5], [25, 5], [25, 15], [5, 15]]
FLAT = [value for point in SQUARE for value in point]


def coco(name: str) -> str:
    """A document of one mask on one picture, as the following are."""
    image = {"id": 1, "file_name": name, "width": WIDTH, "height": HEIGHT}
    return json.dumps({"images": [image], "annotations": [{"id": 1, "image_id": 1, "segmentation": [FLAT]}]})


def sa1b(name: str) -> str:
    image = {"image_id": 1, "file_name": name, "width": WIDTH, "height": HEIGHT}
    counts = {"size": [HEIGHT, WIDTH], "counts": [100, 20, WIDTH * HEIGHT - 120]}
    return json.dumps({"image": image, "annotations": [{"id": 1, "segmentation": counts}]})


def cvat(name: str) -> str:
    points = ";".join(f"{x},{y}" for x, y in SQUARE)
    image = f'<image id="0" name="{name}" width="{WIDTH}" height="{HEIGHT}"><polygon label="x" points="{points}"/>'
    return f"<annotations>{image}</image></annotations>"


def labelme(name: str) -> str:
    shapes = [{"label": "x", "points": SQUARE}]
    return json.dumps({"shapes": shapes, "imagePath": name, "imageHeight": HEIGHT, "imageWidth": WIDTH})


def label_studio(name: str) -> str:
    value = {"points": [[10, 10], [50, 10], [50, 50]], "polygonlabels": ["x"]}
    result = [{"original_width": WIDTH, "original_height": HEIGHT, "type": "polygonlabels", "value": value}]
    image = f"/data/local-files/?d={name}"
    return json.dumps([{"id": 1, "data": {"image": image}, "annotations": [{"result": result}]}])


WRITERS = {"coco": coco, "sa1b": sa1b, "cvat": cvat, "labelme": labelme, "label_studio": label_studio}


@pytest.mark.parametrize("name", WRITERS)
def test_the_namesake_of_another_folder_is_not_meant(cast, tmp_path, name):
    """Ben packs the pictures of the training side only: what is told of the others belongs to none of them."""
    document = "told.xml" if name == "cvat" else "told.json"
    files = {"train/0001.jpg": picture(), document: WRITERS[name]("val/0001.jpg")}
    report = bring(cast, tmp_path / "in", files, name)
    assert report["masks_new"] == 0
    assert [refusal["code"] for refusal in report["refusals"]] == ["picture_missing"], report


@pytest.mark.parametrize("name", WRITERS)
def test_documents_of_one_name_mean_the_pictures_beside_them(cast, tmp_path, name):
    """train/_annotations.coco.json and valid/_annotations.coco.json both tell of a 0001.jpg."""
    train, valid = picture(seed=1), picture(seed=2)
    last = {"labelme": "0001.json", "cvat": "_annotations.xml"}.get(name, "_annotations.coco.json")
    document = WRITERS[name]("0001.jpg")
    files = {"train/0001.jpg": train, "valid/0001.jpg": valid, f"train/{last}": document, f"valid/{last}": document}
    report = bring(cast, tmp_path / "in", files, name)
    assert (report["masks_new"], report["refused"]) == (2, 0), report
    assert (len(masks_on(train)), len(masks_on(valid))) == (1, 1)
    del files["valid/0001.jpg"]
    report = bring(cast, tmp_path / "other", files, name)
    assert (report["masks_known"], [one["code"] for one in report["refusals"]]) == (1, ["picture_missing"])


@pytest.mark.parametrize(
    ("told", "document", "there"),
    [
        ("a.jpg", "annotations/x.json", "images/a.jpg"),
        ("a.jpg", "set/x.json", "set/pictures/a.jpg"),
        ("images/a.jpg", "x.json", "images/a.jpg"),
        ("images/a.jpg", "set/x.json", "set/images/a.jpg"),
        ("images/a.jpg", "set/annotations/x.json", "set/images/a.jpg"),
        ("../images/a.jpg", "set/annotations/x.json", "set/images/a.jpg"),
        ("/home/x/images/a.jpg", "x.json", "images/a.jpg"),
        ("C:\\pictures\\images\\a.jpg", "set/x.json", "set/images/a.jpg"),
        ("/home/x/photos/a.jpg", "x.json", "images/a.jpg"),
        ("/home/x/photos/a.jpg", "x.json", "a.jpg"),
        ("train/a.jpg", "annotations/x.json", "images/train/a.jpg"),
        ("train/a.jpg", "annotations/x.json", "train/images/a.jpg"),
        ("./a.jpg", "x.json", "a.jpg"),
    ],
)
def test_a_picture_is_found_where_paths_end_alike(told, document, there):
    index = FileIndex()
    for name in (there, document, "elsewhere/b.jpg"):
        index.add(name, Path(name))
    assert index.find(told, document) == Path(there)
    if "/" in told.removeprefix("./"):
        index = FileIndex()
        for name in (there, document, "elsewhere/a.jpg"):
            index.add(name, Path(name))
        assert index.find(told, document) == Path(there), "a namesake does not confuse"


@pytest.mark.parametrize("told", ["", None, 3, "/", "..", "a" * 5000, "b/a.jpg", "/" * 4000, "a.jpg", "\x00", "A.JPG"])
def test_what_names_no_file_or_two_finds_none(told):
    index = FileIndex()
    for name in ("one/a.jpg", "two/a.jpg", "x.json"):
        index.add(name, Path(name))
    assert index.find(told, "x.json") is None


def test_pictures_deeper_than_their_document_are_its_own():
    index = FileIndex()
    for name in ("b/a/1.jpg", "a/x/1.jpg", "a/x/2.jpg", "a/y/2.jpg", "b/z/3.jpg", "a/labels.json", "b/labels.json"):
        index.add(name, Path(name))
    assert index.find("1.jpg", "a/labels.json") == Path("a/x/1.jpg")
    assert index.find("2.jpg", "a/labels.json") is None, "one of two"
    assert index.find("3.jpg", "a/labels.json") is None, "that of the other document"


# --- YOLO ------------------------------------------------------------------------------------------------------------

LINE = "0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n"


def test_a_picture_without_labels_does_not_get_those_of_its_namesake(cast, tmp_path):
    train, val = picture(seed=1), picture(seed=2)
    files = {"images/train/a.jpg": train, "images/val/a.jpg": val, "labels/train/a.txt": LINE}
    report = bring(cast, tmp_path / "in", files)
    assert (report["format"], report["images_new"], report["masks_new"]) == ("yolo", 2, 1)
    assert (len(masks_on(train)), len(masks_on(val))) == (1, 0)
    files = {"images/train/a.jpg": train, "labels/train/a.txt": LINE, "labels/val/a.txt": LINE}
    report = bring(cast, tmp_path / "other", files)
    assert [refusal["item"] for refusal in report["refusals"]] == ["labels/val/a.txt"]


def test_labels_that_lie_elsewhere_belong_to_the_only_picture_of_their_name(cast, tmp_path):
    alone, pair = picture(seed=1), [picture(seed=2), picture(seed=3)]
    files = {"pictures/a.jpg": alone, "x/b.jpg": pair[0], "y/b.jpg": pair[1]}
    report = bring(cast, tmp_path / "in", {**files, "outlines/a.txt": LINE, "outlines/b.txt": LINE})
    assert len(masks_on(alone)) == report["masks_new"] == 1
    assert [refusal["item"] for refusal in report["refusals"]] == ["outlines/b.txt"]
