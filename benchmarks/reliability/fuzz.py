"""Inputs nobody wrote: mutated masks, polygons, archives and documents, in this process, with a seed.

Every function returns counts. A crash of native code ends the process, which the trial that asked notices.
"""

from __future__ import annotations

import io
import json
import random
import resource
import shutil
import tarfile
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from modelzoo import rle

SLOW = 1.0  # seconds of the processor: a busy machine is no fault of the input
NOTHING = {"tried": 0, "refused": 0, "crashes": 0, "slow": 0, "slowest": 0.0}
STRANGE = [None, True, -1, 0, 2**31, 2**63, 1e308, float("nan"), float("inf"), "", "\x00", "9" * 400, [], {}, "../x"]


def masks(*, count: int, seed: int) -> dict[str, Any]:
    """Mutated runs (a third as lists) and polygons: accepted ones are compared with a reader of runs of our own."""
    dice = random.Random(seed)
    told = {"tried": 0, "accepted": 0, "wrong": 0, "slow": 0, "slowest": 0.0}
    for number in range(count):
        height, width = dice.randrange(1, 60), dice.randrange(1, 60)
        good = rle.encode(np.random.default_rng(number).random((height, width)) > dice.random())
        kind = dice.randrange(3)
        started = time.process_time()
        try:
            if kind == 2:
                found = rle.from_polygons(_polygons(dice, height, width), height, width)
            else:
                counts: Any = good["counts"] if kind else rle.runs(good).tolist()
                found = rle.validate({"size": [height, width], "counts": _mutated(counts, dice)}, height, width)
        except rle.RLEError:
            pass
        else:
            told["accepted"] += 1
            told["wrong"] += not _is_true(found, height, width)
        took = time.process_time() - started
        told["tried"] += 1
        told["slow"] += took > SLOW
        told["slowest"] = max(told["slowest"], took)
    return told


def legal(*, count: int, seed: int) -> dict[str, int]:
    """Legal masks, there and back, beside pycocotools."""
    from pycocotools import mask as coco_mask  # noqa: TID251  what we are compared with

    dice, differing = np.random.default_rng(seed), 0
    for _ in range(count):
        array = dice.random(dice.integers(1, 60, 2)) > dice.random()
        ours, theirs = rle.encode(array), coco_mask.encode(np.asfortranarray(array.astype(np.uint8)))
        same = ours["counts"] == theirs["counts"].decode() and rle.area(ours) == int(coco_mask.area(theirs))
        same = same and rle.bbox(ours) == [int(side) for side in coco_mask.toBbox(theirs)]
        differing += not (same and np.array_equal(rle.decode(ours), array))
    return {"tried": count, "differing": differing}


def _mutated(counts: Any, dice: random.Random) -> Any:
    items = list(counts)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(items)) if items else 0
        match dice.randrange(5):
            case 0 if items:
                items[at] = chr(dice.randint(40, 120)) if isinstance(counts, str) else dice.choice([*STRANGE, 2**32])
            case 1 if items:
                del items[at]
            case 2:
                items.insert(at, chr(dice.randint(48, 111)) if isinstance(counts, str) else dice.randrange(-3, 4000))
            case 3:
                items = items[:at]
            case _:
                items = items + items[at : at + 3]
    return "".join(items) if isinstance(counts, str) else items


def _polygons(dice: random.Random, height: int, width: int) -> Any:
    rings = []
    for _ in range(dice.randint(1, 3)):
        ring: list[Any] = [dice.uniform(-width / 2, width * 1.5) for _ in range(2 * dice.randint(2, 12))]
        for _ in range(dice.randint(0, 2)):
            at = dice.randrange(len(ring))
            ring[at : at + 1] = dice.choice([[], [dice.choice(STRANGE)], [dice.uniform(-1e9, 1e9)], [ring[at], 1.5]])
            ring = ring or [0.0]
        rings.append(ring)
    return rings if dice.random() < 0.95 else dice.choice(STRANGE)


def _is_true(found: rle.RLE, height: int, width: int) -> bool:
    """Read the runs as the format says, in unbounded integers; they fill the frame, and decoding says the same."""
    lengths: list[int] = []
    at, text = 0, found["counts"]
    while at < len(text):
        value = shift = 0
        while True:
            letter = ord(text[at]) - 48
            value |= (letter & 31) << shift
            at, shift = at + 1, shift + 5
            if not letter & 32:
                value -= (1 << shift) if letter & 16 else 0
                break
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
    if min(lengths) < 0 or sum(lengths) != height * width or found["size"] != [height, width]:
        return False
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return bool(np.array_equal(flat.reshape(width, height).T, rle.decode(found)))


def archives(*, count: int, seed: int, folder: str) -> dict[str, Any]:
    """Mutated zip and tar archives through the reader of uploads: refusals, other exceptions, files outside."""
    from annotation.errors import UserError
    from annotation.ingest import archives as reader

    dice, place = random.Random(seed), Path(folder)
    told: dict[str, Any] = {
        "tried": 0,
        "refused": 0,
        "crashes": 0,
        "outside": 0,
        "slow": 0,
        "slowest": 0.0,
        "kinds": [],
    }
    for number in range(count):
        work = place / "work"
        (work / "out").mkdir(parents=True)
        (work / "archive").write_bytes(_archive(dice, number))
        started = time.process_time()
        try:
            list(reader.members(work / "archive", work / "out", 1 << 20))
        except UserError:
            told["refused"] += 1
        except Exception as problem:
            told["crashes"] += 1
            told["kinds"].append(f"{number}: {type(problem).__name__}: {problem}"[:120])
        took = time.process_time() - started
        told["tried"] += 1
        told["slow"] += took > SLOW
        told["slowest"] = max(told["slowest"], took)
        told["outside"] += sorted(path.name for path in work.iterdir()) != ["archive", "out"]
        told["outside"] += [path.name for path in place.iterdir()] != ["work"]
        shutil.rmtree(work)
    told["mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return told


def _archive(dice: random.Random, number: int) -> bytes:
    names = ["a.jpg", "b/c.png", "../up.jpg", "/abs", "x" * 300, "é.json", "a.jpg", "\\\\server\\x"]
    buffer = io.BytesIO()
    contents = [(dice.choice(names), dice.randbytes(dice.randrange(300)) * dice.choice([1, 1, 40])) for _ in range(4)]
    if number % 2:
        warnings.simplefilter("ignore")  # two members of one name are meant
        with zipfile.ZipFile(buffer, "w", dice.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as packed:
            for name, content in contents:
                packed.writestr(zipfile.ZipInfo(name), content)
    else:
        with tarfile.open(fileobj=buffer, mode=dice.choice(["w", "w:gz"])) as packed_tar:
            for name, content in contents:
                entry = tarfile.TarInfo(name)
                entry.size, entry.type = len(content), dice.choice([tarfile.REGTYPE, tarfile.REGTYPE, tarfile.SYMTYPE])
                entry.linkname = "/etc/passwd"
                packed_tar.addfile(entry, io.BytesIO(content))
    data = bytearray(buffer.getvalue())
    for _ in range(dice.randrange(6)):
        at = dice.randrange(len(data))
        data[at : at + dice.choice([1, 1, 1, 4])] = dice.randbytes(dice.choice([1, 1, 0, 4, 9]))
        data = data or bytearray(b"P")
    return bytes(data[: dice.randrange(1, len(data) + 1)] if dice.random() < 0.1 else data)


def documents(*, count: int, seed: int, folder: str) -> dict[str, Any]:
    """Mutated documents of the formats that come in, through every reader, down to the rows that would be stored."""
    from annotation.errors import UserError
    from annotation.formats.registry import IMPORTS
    from annotation.formats.source import FileIndex, Refusals
    from tests.annotation.test_import_formats import CVAT

    dice, place = random.Random(seed), Path(folder)
    (place / "a.jpg").write_bytes(b"a picture that nobody opens here")
    told: dict[str, Any] = {"masks": 0, **NOTHING, "kinds": []}
    for number in range(count):
        name, text = _document(dice, CVAT)
        target = place / name
        target.write_bytes(text)
        started = time.process_time()
        for reader in IMPORTS.values():
            refusals = Refusals()
            try:
                for source in reader.read(FileIndex.of_folder(place), refusals):
                    told["masks"] += len(source.masks)
                    if source.shapes is not None:
                        told["masks"] += len(list(source.shapes(40, 60)))
            except UserError:
                told["refused"] += 1
            except Exception as problem:
                told["crashes"] += 1
                told["kinds"].append(f"{number} {reader.name}: {type(problem).__name__}: {problem}"[:160])
            told["refused"] += refusals.count
        took = time.process_time() - started
        told["tried"] += 1
        told["slow"] += took > SLOW
        told["slowest"] = max(told["slowest"], took)
        target.unlink()
    return told


def _document(dice: random.Random, cvat: str) -> tuple[str, bytes]:
    size = {"width": 60, "height": 40}
    square = [5, 5, 25, 5, 25, 15, 5, 15]
    coco: Any = {
        "images": [{"id": 1, "file_name": "a.jpg", **size}],
        "categories": [{"id": 1, "name": "x"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [square], "iscrowd": 0, "bbox": [5, 5, 20, 10]},
            {"id": 2, "image_id": 1, "category_id": 1, "segmentation": {"size": [40, 60], "counts": [100, 20, 2280]}},
        ],
    }
    labelme: Any = {"flags": {}, "imagePath": "a.jpg", "imageHeight": 40, "imageWidth": 60}
    labelme["shapes"] = [{"label": "x", "points": [[5, 5], [25, 5], [25, 15]], "shape_type": "polygon"}]
    value = {"points": [[10, 10], [50, 10], [50, 50]], "polygonlabels": ["x"]}
    drawn = {"original_width": 60, "original_height": 40, "type": "polygonlabels", "value": value}
    studio: Any = [{"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"result": [drawn]}]}]
    counts = {"size": [40, 60], "counts": "T3d0"}
    sa1b: Any = {
        "image": {"image_id": 1, "file_name": "a.jpg", **size},
        "annotations": [{"id": 1, "segmentation": counts}],
    }
    match dice.randrange(6):
        case 0:
            return "annotations.xml", _noisy(cvat.encode(), dice)
        case 1:
            return "a.txt", _noisy(b"0 0.1 0.1 0.5 0.1 0.5 0.5\n1 0.2 0.2 0.1 0.1\n", dice)
        case kind:
            document = [coco, labelme, studio, sa1b][kind - 2]
            for _ in range(dice.randint(1, 4)):
                document = _bent(document, dice)
            text = json.dumps(document).encode()
            return "a.json", text if dice.random() < 0.7 else _noisy(text, dice)


def _bent(value: Any, dice: random.Random) -> Any:
    """One place somewhere inside holds something strange."""
    if isinstance(value, dict) and value and dice.random() < 0.85:
        key = dice.choice(sorted(value))
        return {**value, key: _bent(value[key], dice)}
    if isinstance(value, list) and value and dice.random() < 0.85:
        at = dice.randrange(len(value))
        return [*value[:at], _bent(value[at], dice), *value[at + 1 :]]
    return dice.choice(STRANGE)


def _noisy(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.randint(1, 5)):
        at = dice.randrange(len(changed))
        changed[at : at + dice.randrange(3)] = dice.choice([b"", b"\x00", b"\xff", b"<", b"&", b"1e999", b"nan", b'"'])
        changed = changed or bytearray(b" ")
    return bytes(changed)
