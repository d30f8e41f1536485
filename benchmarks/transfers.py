"""Export and import of generated masks: masks per second, peak memory, growth; beside the simplest script for the same.

Every figure comes from a process of its own, so that its peak memory is its own. The simplest script has everything in
lists, measures with pycocotools and writes or reads one JSON document; it neither checks nor keeps what it reads.

    python -m benchmarks.transfers 10000 100000 1000000      masks; 100 on each image
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # it loads torch, which would count as memory here
    from benchmarks.measure import Row

SIZES = (10_000, 100_000, 1_000_000)  # the last takes about ten minutes of a processor
PER_IMAGE = 100
HEIGHT, WIDTH = 480, 640
SHAPES = 120  # different masks, used again and again
STEPS = ("make", "export", "simple-export", "import", "simple-import")


def measured(masks: int) -> dict[str, dict[str, float]]:
    """Step -> {"seconds", "mib"} of one size, in a folder that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="anymask-bench-"))
    environment = {**os.environ, "ANYMASK_DATA": str(folder / "data"), "DJANGO_SETTINGS_MODULE": "config.settings"}
    try:
        found = {}
        for step in STEPS:
            command = [sys.executable, "-m", "benchmarks.transfers", "step", step, str(masks), str(folder)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{step} of {masks}: {done.stderr[-2000:]}")
            found[step] = json.loads(done.stdout.splitlines()[-1])
        return found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def rows(sizes: tuple[int, ...] = SIZES) -> list[Row]:
    """For `make bench`: masks per second and memory of each size; the ratio is to the simplest script."""
    from benchmarks.measure import Row

    found = []
    for masks in sizes:
        steps = measured(masks)
        for step in ("export", "import"):
            ours, simple = steps[step], steps[f"simple-{step}"]
            speed, other = masks / ours["seconds"], masks / simple["seconds"]
            note = f"of {other:,.0f} masks/s, {simple['mib']:.0f} MiB"
            found.append(
                Row(f"COCO {step}, {masks:,} masks", round(speed), "masks/s", round(speed), 1, note, speed / other)
            )
            found.append(Row(f"COCO {step}, {masks:,} masks, memory", round(ours["mib"]), "MiB", round(ours["mib"]), 1))
    return found


def make(masks: int, folder: Path) -> None:
    """Two datasets with the same pictures; one of them has the masks."""
    from django.core.management import call_command
    from django.db import transaction
    from django.utils import timezone

    from annotation import storage
    from annotation.models import Dataset, Image, Mask, split_for
    from annotation.services.bulk import rows_insert
    from modelzoo import rle

    call_command("migrate", verbosity=0)
    random = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    shapes = []
    for _ in range(SHAPES):
        centre, radius = random.uniform(0, 1, 2) * (HEIGHT, WIDTH), random.uniform(5, 80)
        wave = 1 + 0.2 * np.sin(7 * np.arctan2(y - centre[0], x - centre[1]))
        coded = rle.encode((y - centre[0]) ** 2 + (x - centre[1]) ** 2 < (radius * wave) ** 2)
        if rle.area(coded):
            shapes.append((coded, rle.bbox(coded), rle.area(coded)))
    datasets = [Dataset.objects.create(name=name) for name in ("Made", "Copy")]
    for number in range(masks // PER_IMAGE):
        data = b"\xff\xd8 a picture that nobody decodes here: its bytes are known already " + number.to_bytes(4, "big")
        sha256 = hashlib.sha256(data).hexdigest()
        path = f"{storage.image_folder(1, sha256)}/display.jpg"
        storage.full(path).parent.mkdir(parents=True)
        storage.full(path).write_bytes(data)
        fields: dict[str, Any] = {"width": WIDTH, "height": HEIGHT, "media_type": "image/jpeg", "byte_size": len(data)}
        fields |= {"file_name": f"{number}.jpg", "sha256": sha256, "split": split_for(sha256)}
        fields |= {"original_path": path, "display_path": path, "thumbnail_path": path}
        now = timezone.now()
        with transaction.atomic():
            image, _ = [Image.objects.create(dataset=dataset, **fields) for dataset in datasets]
            rows = []
            for place in range(PER_IMAGE):
                coded, box, area = shapes[(number * PER_IMAGE + place) % len(shapes)]
                row = {"image_id": image.pk, "segmentation": coded, "bbox": box, "area": area, "uuid": uuid.uuid4()}
                row |= {"source": "model", "category": f"kind {place % 9}", "created_at": now, "status_changed_at": now}
                rows.append(row)
            rows_insert(model=Mask, rows=rows)


def export(masks: int, folder: Path) -> None:
    """Written, read again and compared: what the page and the command do."""
    from annotation.models import Dataset
    from annotation.services import exports

    counts = exports.export_folder(
        dataset=Dataset.objects.get(name="Made"), export_format="coco", out=folder / "out", progress=lambda *_: None
    )
    assert counts.masks == masks


def simple_export(masks: int, folder: Path) -> None:
    """All rows in a list, area and box by pycocotools, one call of json.dump; pictures copied."""
    from pycocotools import mask as coco_mask  # noqa: TID251  it is what we are compared with

    (folder / "simple").mkdir()
    database = sqlite3.connect(folder / "data" / "anymask.sqlite3")
    images = database.execute(
        "SELECT id, file_name, display_path FROM annotation_image WHERE dataset_id = 1"
    ).fetchall()
    annotations = []
    for serial, image, text in database.execute(
        "SELECT serial, image_id, segmentation FROM annotation_mask"
    ).fetchall():
        coded = json.loads(text)
        area, box = int(coco_mask.area(coded)), coco_mask.toBbox(coded).tolist()
        row = {"id": serial, "image_id": image, "category_id": 1, "segmentation": coded, "iscrowd": 0}
        annotations.append({**row, "area": area, "bbox": box})
    for _, name, path in images:
        shutil.copyfile(folder / "data" / path, folder / "simple" / name)
    records = [{"id": key, "file_name": name, "width": WIDTH, "height": HEIGHT} for key, name, _ in images]
    document = {"images": records, "annotations": annotations, "categories": [{"id": 1, "name": "object"}]}
    with (folder / "simple" / "annotations.json").open("w") as file:
        json.dump(document, file)
    assert len(annotations) == masks


def bring(masks: int, folder: Path) -> None:
    """The export into the dataset that has the pictures: read as a stream, every mask checked, stored."""
    from annotation.models import Dataset
    from annotation.services import imports

    report = imports.import_folder(
        dataset=Dataset.objects.get(name="Copy"),
        folder=folder / "out",
        import_format="coco",
        user=None,
        progress=lambda *_: None,
    )
    assert (report.masks_new, report.images_new, report.refusals.count) == (masks, 0, 0)


def simple_import(masks: int, folder: Path) -> None:
    """COCO() of pycocotools, area and box of every mask, one insert into a table."""
    from pycocotools import mask as coco_mask  # noqa: TID251  the same
    from pycocotools.coco import COCO

    document = COCO(str(folder / "out" / "annotations.json"))
    found = []
    for annotation in document.anns.values():
        coded = document.annToRLE(annotation)
        area, box = int(coco_mask.area(coded)), coco_mask.toBbox(coded).tolist()
        found.append((annotation["image_id"], json.dumps(annotation["segmentation"]), area, json.dumps(box)))
    database = sqlite3.connect(folder / "simple.db")
    database.execute("CREATE TABLE mask (image INTEGER, segmentation TEXT, area INTEGER, bbox TEXT)")
    database.executemany("INSERT INTO mask VALUES (?, ?, ?, ?)", found)
    database.commit()
    assert len(found) == masks


CALLS: dict[str, Callable[[int, Path], None]] = {
    "make": make,
    "export": export,
    "simple-export": simple_export,
    "import": bring,
    "simple-import": simple_import,
}


def step(name: str, masks: int, folder: Path) -> dict[str, float]:
    """Processor seconds and peak memory of one step in this process; modules are loaded before the clock starts."""
    import django
    from pycocotools import coco  # noqa: F401  what it costs to have it

    if not name.startswith("simple"):
        django.setup()
        from annotation.services import exports, imports  # noqa: F401  what it costs to have it
    processor = time.process_time()
    CALLS[name](masks, folder)
    seconds = time.process_time() - processor
    return {"seconds": seconds, "mib": _peak_mib()}


def _peak_mib() -> float:
    """Largest resident size of this program. The one of getrusage begins with that of the process that started it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """One step in this process, or a table of the sizes that are named."""
    if sys.argv[1:2] == ["step"]:
        _, _, name, count, folder = sys.argv
        print(json.dumps(step(name, int(count), Path(folder))))
        return
    from benchmarks.measure import machine

    print(machine()["cpu"])
    for masks in [int(text) for text in sys.argv[1:]] or SIZES:
        for name, told in measured(masks).items():
            speed = f"{masks / told['seconds']:9,.0f} masks/s {told['mib']:6.0f} MiB"
            print(f"{masks:>9,} {name:14} {told['seconds']:8.1f} s {speed}", flush=True)


if __name__ == "__main__":
    main()
