"""Annotations of other programs: what they mean goes in, what cannot be used is named."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as Picture

from annotation.errors import UserError
from annotation.formats import json_stream
from annotation.formats.label_studio import unpacked
from annotation.models import Dataset, Image, Mask
from annotation.services import exports, imports
from modelzoo import rle
from tests.annotation.test_round_trip import content, shapes, silent
from tests.cast import add_image, add_mask, ellipse, picture

WIDTH, HEIGHT = 60, 40
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is slow, not broken


def bring(cast, folder: Path, files: dict[str, bytes | str], import_format: str = "auto") -> dict:
    """Import files by name; the report. Nothing may go wrong unexpectedly: UserError is a report too."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    try:
        report = imports.import_folder(
            dataset=cast.dataset, folder=folder, import_format=import_format, user=cast.ana, progress=silent
        )
    except UserError as problem:
        return {"format": problem.code, "refused": 1, "masks_new": 0, "refusals": [problem.as_json()]}
    return report.as_json()


def stored() -> dict[str, np.ndarray]:
    """Category -> mask."""
    return {mask.category: rle.decode(mask.segmentation) for mask in Mask.objects.all()}


def masks_on(data: bytes) -> list[list[list[bool]]]:
    """Masks of the picture with these bytes, as lists, in the order in which they came."""
    masks = Mask.objects.filter(image__sha256=hashlib.sha256(data).hexdigest())
    return [rle.decode(mask.segmentation).tolist() for mask in masks]


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Picture.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def box(left, top, right, bottom) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top:bottom, left:right] = True
    return mask


# --- What the programs write ---------------------------------------------------------------------------------------


def test_labelme(cast, tmp_path):
    document = {
        "version": "5.5.0",
        "flags": {},
        "shapes": [
            {"label": "square", "points": [[5, 5], [25, 5], [25, 15], [5, 15]], "shape_type": "polygon"},
            {"label": "box", "points": [[30, 10], [50, 30]], "shape_type": "rectangle"},
            {"label": "disc", "points": [[20, 28], [28, 28]], "shape_type": "circle"},
            {"label": "pair", "points": [[0, 0], [4, 0], [4, 4], [0, 4]], "group_id": 3, "shape_type": "polygon"},
            {"label": "pair", "points": [[54, 34], [58, 34], [58, 38], [54, 38]], "group_id": 3},
            {"label": "line", "points": [[0, 0], [4, 0]], "shape_type": "line"},
        ],
        "imagePath": "..\\pictures\\a.jpg",
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
    }
    report = bring(cast, tmp_path / "in", {"x/a.jpg": picture(), "x/a.json": json.dumps(document)})
    assert (report["format"], report["masks_new"], report["refused"]) == ("labelme", 4, 1)
    assert report["refusals"][0]["code"] == "shape_unsupported"
    found = stored()
    assert np.array_equal(found["square"], box(5, 5, 25, 15))
    assert np.array_equal(found["box"], box(30, 10, 50, 30))
    assert np.array_equal(found["pair"], box(0, 0, 4, 4) | box(54, 34, 58, 38))
    assert found["disc"].sum() == pytest.approx(np.pi * 64, rel=0.05)


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><id>1</id></task></meta>
<image id="0" name="sub/a.jpg" width="60" height="40">
 <polygon label="square" source="manual" occluded="0" points="5.0,5.0;25.0,5.0;25.0,15.0;5.0,15.0" z_order="0"/>
 <box label="box" xtl="30" ytl="10" xbr="50" ybr="30" occluded="0"/>
 <mask label="mask" rle="1, 2, 1, 4" left="10" top="30" width="4" height="2" occluded="0"/>
 <ellipse label="disc" cx="20" cy="28" rx="8" ry="8"/>
 <polygon label="pair" points="0,0;4,0;4,4;0,4" group_id="2"/>
 <polygon label="pair" points="54,34;58,34;58,38;54,38" group_id="2"/>
 <points label="dot" points="1,1"/>
 <mask label="bad" rle="1, 200" left="10" top="30" width="4" height="2"/>
 <mask label="out" rle="0, 8" left="58" top="30" width="4" height="2"/>
 <polygon label="nan" points="nan,0;4,0;4,4"/>
</image>
<image id="1" name="missing.jpg" width="60" height="40"><polygon label="x" points="0,0;4,0;4,4"/></image>
</annotations>"""


def test_cvat(cast, tmp_path):
    report = bring(cast, tmp_path / "in", {"images/a.jpg": picture(), "annotations.xml": CVAT})
    assert (report["format"], report["masks_new"]) == ("cvat", 5)
    codes = [refusal["code"] for refusal in report["refusals"]]
    expected = ["shape_unsupported", "rle_sum", "annotation_malformed", "annotation_malformed", "picture_missing"]
    assert sorted(codes) == sorted(expected)
    found = stored()
    assert np.array_equal(found["square"], box(5, 5, 25, 15))
    assert np.array_equal(found["box"], box(30, 10, 50, 30))
    assert np.array_equal(found["mask"], box(11, 30, 13, 31) | box(10, 31, 14, 32))
    assert np.array_equal(found["pair"], box(0, 0, 4, 4) | box(54, 34, 58, 38))


def packed(mask: np.ndarray, *, plain: bool = False) -> list[int]:
    """A brush mask as Label Studio packs it: runs of the bytes of an RGBA picture (or, plain, every byte by itself)."""
    data = np.repeat(mask.reshape(-1, 1).astype(np.uint8) * 255, 4, axis=1).reshape(-1)
    bits = f"{len(data):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    at = 0
    while at < len(data):
        length = 1
        if plain:
            length = min(8, len(data) - at)
            bits += "0" + "00" + f"{length - 1:03b}" + "".join(f"{value:08b}" for value in data[at : at + length])
        else:
            while at + length < len(data) and data[at + length] == data[at] and length < 65536:
                length += 1
            bits += "1" + "11" + f"{length - 1:016b}" + f"{data[at]:08b}"
        at += length
    bits += "0" * (-len(bits) % 8)
    return [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]


@patient
@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(2, 9))), st.booleans())
def test_brush_masks_are_unpacked(mask, plain):
    assert np.array_equal(unpacked(packed(mask, plain=plain), *mask.shape), mask)


@patient
@given(st.lists(st.integers(0, 255), min_size=6, max_size=60), st.integers(1, 6), st.integers(1, 6))
def test_a_hostile_brush_mask_is_a_mask_or_an_error(noise, height, width):
    head = [*(height * width * 4).to_bytes(4, "big"), *noise]
    try:
        shape = unpacked(head, height, width).shape
    except rle.RLEError:
        return
    assert shape == (height, width)


def test_label_studio(cast, tmp_path, image):
    brush = ellipse(image)
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    result = [
        {**size, "type": "brushlabels", "value": {"format": "rle", "rle": packed(brush), "brushlabels": ["brush"]}},
        {
            **size,
            "type": "polygonlabels",
            "value": {"points": [[10, 10], [50, 10], [50, 50], [10, 50]], "polygonlabels": ["square"]},
        },
        {**size, "type": "rectanglelabels", "value": {"x": 50, "y": 25, "width": 25, "height": 50, "rotation": 0}},
        {**size, "type": "choices", "value": {"choices": ["x"]}},
        {"type": "brushlabels", "value": {"format": "rle", "rle": [1, 2]}},
        {**size, "type": "brushlabels", "value": {"format": "rle", "rle": [0, 0, 0, 9, 0, 0, 0, 0]}},
    ]
    tasks = [
        {"id": 1, "data": {"image": "/data/upload/3/1a2b3c4d-a.jpg"}, "annotations": [{"result": result}]},
        {"id": 2, "data": {"image": "/data/upload/3/none.jpg"}, "annotations": []},
        "no task",
    ]
    report = bring(cast, tmp_path / "in", {"images/a.jpg": picture(seed=5), "export.json": json.dumps(tasks)})
    assert (report["format"], report["masks_new"], report["refused"]) == ("label_studio", 3, 5), report
    found = stored()
    assert np.array_equal(found["brush"], brush)
    assert np.array_equal(found["square"], box(6, 4, 30, 20))
    assert np.array_equal(found[""], box(30, 10, 45, 30))


def region(shape: dict | None = None, **result) -> dict:
    """A result of Label Studio on our picture: by itself the square."""
    square = {"points": [[10, 10], [50, 10], [50, 50], [10, 50]]}
    value = {**(square if shape is None else shape), **result.pop("value", {})}
    return {"original_width": WIDTH, "original_height": HEIGHT, "value": value, **result}


def test_the_controls_of_one_region_of_label_studio_are_one_mask(cast, tmp_path):
    """A region that Ana drew, named and described: three controls, each with a result of its own of the same id."""
    other = {"x": 50, "y": 25, "width": 25, "height": 50, "rotation": 0}
    result = [
        region(id="r1", type="choices", value={"choices": ["ripe"]}),
        region(id="r1", type="polygon"),
        region(id="r1", type="labels", value={"labels": ["pear"]}),
        region(id="r1", type="textarea", value={"text": ["sweet"]}),
        region(other, id="r2", type="rectanglelabels", value={"rectanglelabels": ["fig"]}),
        region({}, id="r3", type="choices", value={"choices": ["a fine picture"]}),
    ]
    again = [region({"x": 0, "y": 0, "width": 10, "height": 10}, id="r1", value={"rectanglelabels": ["stone"]})]
    task = {"data": {"image": "a.jpg"}, "annotations": [{"result": result}, {"result": again}]}
    report = bring(cast, tmp_path / "in", {"a.jpg": picture(), "export.json": json.dumps([task])})
    assert (report["format"], report["masks_new"], report["refused"]) == ("label_studio", 3, 1), report
    found = stored()
    assert np.array_equal(found["pear"], box(6, 4, 30, 20))
    assert np.array_equal(found["fig"], box(30, 10, 45, 30))
    assert np.array_equal(found["stone"], box(0, 0, 6, 4))


def test_the_controls_of_one_region_of_json_min_are_one_mask(cast, tmp_path):
    flat = [{**one, **one.pop("value")} for one in (region(id=4), region(id=4), region(), region({"x": 1}, id=5))]
    flat[1]["labels"], flat[2]["points"] = ["pear"], [[0, 0], [10, 0], [10, 10], [0, 10]]
    task = {"image": "a.jpg", "shape": [flat[0], flat[2]], "label": [flat[1], flat[3]], "id": 4}
    report = bring(cast, tmp_path / "in", {"a.jpg": picture(), "export.json": json.dumps([task])})
    assert (report["format"], report["masks_new"], report["refused"]) == ("label_studio", 2, 1), report
    assert np.array_equal(stored()["pear"], box(6, 4, 30, 20))
    assert np.array_equal(stored()[""], box(0, 0, 6, 4))


def test_yolo(cast, tmp_path):
    files = {
        "data.yaml": "train: images/train\nnames:\n  0: pear\n  1: 'fig'\n",
        "images/train/a.jpg": picture(seed=1),
        "labels/train/a.txt": "1 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n\n7 0.5 0.5 0.75 0.5 0.75 0.75 0.5 0.75\n"
        "0 0.5 0.5 0.1 0.1\n0 1 2 3\nx 0.1\n0 nan 0.1 0.2 0.2 0.3 0.3\n0 99 0.1 0.2 0.2 0.3 0.3\n",
        "images/train/b.jpg": picture(seed=2),
        "labels/train/lost.txt": "0 0.1 0.1 0.5 0.1 0.5 0.5",
    }
    report = bring(cast, tmp_path / "in", files)
    assert (report["format"], report["images_new"], report["masks_new"], report["refused"]) == ("yolo", 2, 2, 6)
    assert np.array_equal(stored()["fig"], box(6, 4, 30, 20))
    assert np.array_equal(stored()["class 7"], box(30, 20, 45, 30))


@pytest.mark.parametrize("names", ["[no, 'yes', 3, ~]", "{0: no, '1': 'yes', 2: 3, x: y}"])
def test_yolo_categories_are_called_as_they_are_written(cast, tmp_path, names):
    """YAML has its own mind about `no`; and nothing else in the document matters, whatever it is."""
    lines = "".join(f"{number} 0.{number} 0.1 0.9 0.1 0.9 0.9\n" for number in range(3))
    yaml = f"base: &base {{nc: 3}}\nmore: {{<<: *base}}\nodd: !!int x\nnames: {names}\n"
    files = {"data.yaml": yaml, "images/a.avif": picture(kind="AVIF"), "labels/a.txt": lines}
    report = bring(cast, tmp_path / "in", files)
    assert (report["format"], report["images_new"], report["refused"]) == ("yolo", 1, 0), report
    assert set(stored()) == {"no", "yes", "3"}


# --- There and back ------------------------------------------------------------------------------------------------

EXACT = [
    ("coco", {}, "coco"),
    ("coco", {"masks": "polygons"}, "coco"),
    ("sa1b", {}, "sa1b"),
    ("yolo", {}, "yolo"),
    ("png", {"kind": "binary"}, "png_instances"),
]


@pytest.mark.parametrize(("name", "options", "back"), EXACT, ids=str)
def test_every_mask_comes_back(cast, tmp_path, name, options, back):
    image = add_image(cast.dataset, seed=1, split="train")
    for kind, array in shapes(image).items():
        add_mask(image, array, category=kind if kind != "pixel" else "")
    add_image(cast.dataset, seed=2, split="held_out")
    before = content(cast.dataset)
    out = tmp_path / "out"
    exports.export_folder(dataset=cast.dataset, export_format=name, out=out, progress=silent, options=options)
    copy = Dataset.objects.create(name="Copy")
    report = imports.import_folder(dataset=copy, folder=out, import_format="auto", user=cast.ana, progress=silent)
    assert (report.format, report.masks_new, report.refusals.listed) == (back, 6, [])
    keep = slice(0, 3) if name == "sa1b" else slice(0, 4)
    after = {digest: sorted(row[keep] for row in rows) for digest, rows in content(copy).items()}
    assert after == {digest: sorted(row[keep] for row in rows) for digest, rows in before.items()}


def test_a_picture_of_other_programs_keeps_its_bytes(cast, tmp_path):
    data = picture(seed=9)
    document = {"shapes": [], "flags": {}, "imagePath": "a.jpg", "imageHeight": HEIGHT, "imageWidth": WIDTH}
    document["imageData"] = base64.b64encode(data).decode()
    assert bring(cast, tmp_path / "in", {"a.jpg": data, "a.json": json.dumps(document)})["images_new"] == 1
    assert Image.objects.get().byte_size == len(data)


# --- Documents larger than memory ------------------------------------------------------------------------------------

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@patient
@given(st.dictionaries(st.text(), values, max_size=5), st.booleans(), st.integers(1, 40))
def test_documents_are_read_piece_by_piece(tmp_path_factory, document, ascii_only, read):
    path = tmp_path_factory.mktemp("json") / "x.json"
    path.write_text(json.dumps(document, ensure_ascii=ascii_only, indent=1), encoding="utf-8")
    found = {key: [] if isinstance(value, list) else value for key, value in document.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_READ", read)
        for key, value, written in json_stream.members(path, "x"):
            if written:
                assert json.loads(written) == value
                found[key].append(value)
            else:
                assert value == document[key]
    assert found == document
