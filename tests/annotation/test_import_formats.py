"""Annotations of other programs: what they mean goes in, what cannot be used is named, nothing hostile does harm."""

from __future__ import annotations

import base64
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
from annotation.formats import json_stream, registry
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


# --- Hostile ---------------------------------------------------------------------------------------------------------

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
