"""A dataset with everything that is difficult to export, and its export; fixtures are imported by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from annotation.exported import ExportFilter
from annotation.services import exports
from modelzoo import rle
from tests.annotation.test_round_trip import shapes, silent
from tests.cast import add_image, add_mask, add_tracks

OF_VIDEOS = ("sav", "video_cutouts")


@pytest.fixture(name="full")
def full_dataset(cast):
    """Two images: one with every difficult mask, one with none; and masks that do not count."""
    image = add_image(cast.dataset, seed=1, split="train")
    for name, array in shapes(image).items():
        add_mask(image, array, category=name if name != "pixel" else "", crowd=name == "parts")
    add_mask(image, status="deleted")
    add_mask(image, status="proposed", source="model", model="a" * 64, stage="semi_automatic", category="guess")
    add_image(cast.dataset, seed=2, split="held_out")
    return cast.dataset


@pytest.fixture(name="image")
def difficult_image(full):
    """The one with masks."""
    return full.images.get(masks__category="ring")


def export(dataset, name, out: Path, options=None, **filters) -> Path:
    """The folder of an export, unpacked."""
    if name in OF_VIDEOS and not dataset.videos.exists():
        add_tracks(dataset)
    chosen = ExportFilter.of(filters)
    exports.export_folder(
        dataset=dataset, export_format=name, out=out, progress=silent, options=options or {}, chosen=chosen
    )
    return out


def masks_of(image) -> dict[int, np.ndarray]:
    """Accepted masks by their serial number, each bool (h, w)."""
    return {mask.serial: rle.decode(mask.segmentation) for mask in image.masks.filter(status="accepted")}
