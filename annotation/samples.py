"""Real photographs inside the scikit-image package: nothing is downloaded. Credits as its documentation has them."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

NAME = "Sample pictures"
SOURCE = "scikit-image (skimage.data)"
PUBLIC_DOMAIN = "Public domain"
CC0 = "CC0-1.0"
NO_RESTRICTIONS = "No known copyright restrictions"


@dataclass(frozen=True)
class Sample:
    """One picture: file in skimage/data, name to show, licence, credit."""

    file: str
    name: str
    licence: str
    credit: str


# In the order in which they are offered. The second one is held out by its digest, so that the first retraining soon
# has something to be judged on; the others that are held out or for validation are spread over the queue.
SAMPLES = (
    Sample("astronaut.png", "astronaut.png", PUBLIC_DOMAIN, "NASA: Eileen Collins"),
    Sample("coins.png", "coins.png", NO_RESTRICTIONS, "Brooklyn Museum: Greek coins from Pompeii"),
    Sample("chelsea.png", "chelsea the cat.png", CC0, "Stefan van der Walt"),
    Sample("coffee.png", "coffee.png", CC0, "Rachel Michetti, courtesy of Pikolo Espresso Bar"),
    Sample("rocket.jpg", "rocket.jpg", PUBLIC_DOMAIN, "SpaceX: launch of DSCOVR on Falcon 9"),
    Sample("camera.png", "camera.png", CC0, "Lav Varshney"),
    Sample(
        "motorcycle_left.png",
        "motorcycle.png",
        "Middlebury 2014 stereo benchmark, for research",
        "Scharstein, Hirschmueller, Kitajima, Krathwohl, Nesic, Wang and Westling, GCPR 2014",
    ),
    Sample("ihc.png", "colonic glands.png", NO_RESTRICTIONS, "Center for Microscopy And Molecular Imaging (CMMI)"),
    Sample("clock_motion.png", "clock.png", PUBLIC_DOMAIN, "Stefan van der Walt"),
    Sample("hubble_deep_field.jpg", "hubble deep field.jpg", PUBLIC_DOMAIN, "NASA: Hubble extreme deep field"),
    Sample("cell.png", "cell.png", CC0, "Müller, Schürmann, Girardo, Cojoc and Guck, Optics Express 26(8), 2018"),
    Sample("retina.jpg", "retina.jpg", CC0, "Mikael Häggström, WikiJournal of Medicine 1 (2), 2014"),
)


def folder() -> Path | None:
    """Where scikit-image keeps its pictures, found without importing it; None if it is not installed."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def present() -> list[tuple[Sample, Path]]:
    """The samples that are on this disk, in order."""
    place = folder()
    if place is None:
        return []
    return [(sample, place / sample.file) for sample in SAMPLES if (place / sample.file).is_file()]
