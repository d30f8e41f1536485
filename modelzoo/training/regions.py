"""Regions of a photograph found without people: a graph segmentation at several scales (Felzenszwalb 2004).

They are not objects, but they follow real edges. A small set of labelled photographs teaches more when their
unlabelled ground takes part too; the masks of people and these never mix in evaluation.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import segmentation

from modelzoo import rle
from modelzoo.checkpoint import replacing
from modelzoo.training.data import Record, load_picture

SCALES = (150.0, 500.0, 1500.0)
WORKING_SIDE = 400  # pixels of the longer side while segmenting
SMALLEST_SHARE = 0.008  # of the picture's area


def find_regions(image: np.ndarray) -> list[np.ndarray]:
    """Bool masks at the size of an H x W x 3 uint8 image, from fine to coarse, without duplicates of the whole."""
    height, width = image.shape[:2]
    scale = min(1.0, WORKING_SIDE / max(height, width))
    small = Image.fromarray(image).resize((round(width * scale), round(height * scale)), Image.Resampling.BILINEAR)
    found = []
    for level in SCALES:
        labels = segmentation.felzenszwalb(np.asarray(small), scale=level, sigma=0.8, min_size=120)
        for value in np.unique(labels):
            region = labels == value
            if SMALLEST_SHARE < region.mean() < 0.6:
                enlarged = Image.fromarray(region.astype(np.uint8) * 255).resize((width, height))
                found.append(np.asarray(enlarged) > 127)
    return found


def region_records(records: list[Record], kept_in: Path) -> list[Record]:
    """The same pictures with found regions instead of people's masks.

    Finding takes about half a second a picture, so the regions are kept in the folder `kept_in` for a run that goes on.
    """
    pictures = sorted(str(record.image_path) for record in records)
    path = kept_in / f"regions-{sha256(json.dumps(pictures).encode()).hexdigest()[:12]}.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = {str(record.image_path): rles_of(record) for record in records}
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(found), encoding="utf-8")
    result = []
    for record in records:
        masks = found[str(record.image_path)]
        if masks:
            ids = [f"region-{number}" for number in range(len(masks))]
            result.append(
                Record(record.image_path, record.width, record.height, masks, ids, record.licence, record.source)
            )
    return result


def rles_of(record: Record) -> list[rle.RLE]:
    return [rle.encode(mask) for mask in find_regions(load_picture(record.image_path))]
