"""Annotations that want to do harm: a report with sentences, no mask, and no more work than they are worth."""

from __future__ import annotations

import numpy as np
import pytest

from annotation.formats import registry
from annotation.ingest import maps
from annotation.models import Image, Mask
from tests.annotation.test_import_formats import CVAT, HEIGHT, WIDTH, bring, png
from tests.cast import picture

BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
HOSTILE = {
    "entities": ("annotations.xml", f'<?xml version="1.0"?>{BOMB}<annotations><image name="&b;"/></annotations>'),
    "outside entity": (
        "annotations.xml",
        '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><annotations><image name="&f;"/></annotations>',
    ),
    "cut off": ("annotations.xml", CVAT[:400]),
    "deep": ("annotations.xml", "<annotations>" + "<a>" * 100_000),
    "no annotations": ("annotations.xml", "<annotations></annotations>"),
    "strange encoding": ("annotations.xml", '<?xml version="1.0" encoding="klingon"?><annotations/>'),
    "a mask larger than memory": (
        "annotations.xml",
        '<annotations><image name="a.jpg" width="1000000" height="1000000"><mask label="x" rle="0,1000000000000"'
        ' left="0" top="0" width="1000000" height="1000000"/></image></annotations>',
    ),
    "huge number": ("annotations.xml", CVAT.replace('width="60"', f'width="{"9" * 5000}"')),
    "labelme without points": ("a.json", '{"flags": {}, "imagePath": "a.jpg", "shapes": [{"label": 1}, 3, null]}'),
    "labelme with a huge polygon": (
        "a.json",
        '{"flags": {}, "imagePath": "a.jpg", "imageHeight": 40, "imageWidth": 60, "shapes": [{"points": [[1e300, 0],'
        ' [NaN, 4], [5, 5]]}, {"points": [[1e8, 0], [0, 1e8], [5, 5]]}]}',
    ),
    "labelme, path": ("a.json", '{"flags": {}, "imagePath": "../../../etc/passwd", "shapes": []}'),
    "label studio, no tasks": ("x.json", '[{"data": 3, "annotations": 4}, 5, null, {"data": {"image": "a.jpg"}}]'),
    "label studio, strange": (
        "x.json",
        '[{"data": {"image": "a.jpg"}, "annotations": [{"result": [{"original_width": 60, "original_height": 40,'
        ' "value": {"points": [[1], "x"]}}, {"value": {}}, 7]}, null]}]',
    ),
    "label studio, cut off": ("x.json", '[{"data": {"image": "a.jpg"}, "annotations": ['),
    "yaml": ("data.yaml", "names: " + "[" * 5000),
    "yaml aliases": ("data.yaml", "a: &a [x,x]\nb: &b [*a,*a]\nnames: [*b,*b,*b]\n"),
    "yaml that merges and merges": (
        "data.yaml",
        "a0: &a0 {x: 1}\n"
        + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40))
        + "names: {<<: *a39}\n",
    ),
    "yaml of no sense": ("data.yaml", "x: !!bool maybe\ny: !!int ''\nnames: !!timestamp 9999-99-99\n"),
    "yaml objects": ("data.yaml", "names: !!python/object/apply:os.system ['true']\n"),
    "labels in no words": ("labels/a.txt", b"\xff\xfe\x00 0.1 0.2 0.3 0.4"),
    "labels, strange": ("labels/a.txt", "0 0.1 0.1 0.2 0.2\n" + "0 " + "1e400 " * 6 + "\n0 inf inf 0 0 1 1\n"),
    "map that is no picture": ("masks/a.png", b"\x89PNG no"),
    "map of another size": ("instances/a.png", png(np.ones((4, 4), np.uint8))),
    "map of floats": ("masks/a.tif", b"II*\x00\x08\x00\x00\x00\x00\x00"),
    "jsonl": ("masks.jsonl", "[" * 100_000),
    "sa1b": ("a.json", '{"image": {"file_name": "a.jpg", "width": 1e99, "height": []}, "annotations": [[]]}'),
    "coco, deep": ("a.json", '{"images": ' + "[" * 100_000),
    "coco, huge id": ("a.json", '{"images": [{"id": ' + "9" * 5000 + "}]}"),
}


@pytest.mark.parametrize("case", HOSTILE, ids=str)
def test_nothing_hostile_does_harm(cast, tmp_path, case):
    """Whatever it is and whatever it is taken for: a report with sentences, and no mask."""
    name, data = HOSTILE[case]
    for import_format in ("auto", *registry.IMPORTS):
        report = bring(cast, tmp_path / "in", {name: data, "images/a.jpg": picture()}, import_format)
        assert report["masks_new"] == 0
        assert all(refusal["message"].endswith(".") for refusal in report["refusals"])
    assert Image.objects.count() <= 2, "at most the files that came along"


def test_a_map_of_scattered_values_is_not_looked_through(cast, tmp_path, monkeypatch):
    """Each value costs its box: thousands that lie all over a large map would be hours of work."""
    noise = np.random.default_rng(0).integers(1, 200, (HEIGHT, WIDTH)).astype(np.uint16)
    files = {"images/a.jpg": picture(), "instances/a.png": png(noise)}
    with monkeypatch.context() as patch:
        patch.setattr(maps, "MIN_LOOKS", 0)
        report = bring(cast, tmp_path / "in", files)
    assert [refusal["code"] for refusal in report["refusals"]] == ["map_scattered"]
    assert not Mask.objects.exists()
    assert bring(cast, tmp_path / "in", files)["masks_new"] == 199, "a small map costs nothing"


def test_a_map_that_falls_apart_is_not_taken_apart(cast, tmp_path, monkeypatch):
    monkeypatch.setattr(maps, "MAX_OBJECTS", 100)
    noise = (np.indices((HEIGHT, WIDTH)) % 2 == 0).all(axis=0).astype(np.uint8)
    report = bring(cast, tmp_path / "in", {"images/a.jpg": picture(), "labels/a.png": png(noise)})
    assert [refusal["code"] for refusal in report["refusals"]] == ["map_too_many"]
