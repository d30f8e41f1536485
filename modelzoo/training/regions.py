"""Regions of a photograph found without people: a graph segmentation at several scales (Felzenszwalb 2004).

They are not objects, but they follow real edges. A small set of labelled photographs teaches more when their
unlabelled ground takes part too; the masks of people and these never mix in evaluation.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from skimage import segmentation

from modelzoo import rle
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


def region_records(records: list[Record]) -> list[Record]:
    """The same pictures with found regions instead of people's masks."""
    result = []
    for record in records:
        masks = [rle.encode(mask) for mask in find_regions(load_picture(record.image_path))]
        if masks:
            ids = [f"region-{number}" for number in range(len(masks))]
            result.append(
                Record(record.image_path, record.width, record.height, masks, ids, record.licence, record.source)
            )
    return result
