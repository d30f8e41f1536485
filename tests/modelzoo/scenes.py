"""Small labelled pictures that the tests make themselves: discs and squares on noise."""

import json

import numpy as np
from PIL import Image

from modelzoo import rle


def scene(seed=0, height=96, width=128):
    """A picture, uint8 H x W x 3, with two bright things, and their bool masks."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    disc = (x - width * 0.3) ** 2 + (y - height * 0.5) ** 2 < (height * 0.25) ** 2
    square = (abs(x - width * 0.75) < width * 0.12) & (abs(y - height * 0.5) < height * 0.2)
    image = random.integers(0, 60, (height, width, 3), dtype=np.uint8)
    image[disc] = np.array([220, 60, 60]) + random.integers(0, 20, 3)
    image[square] = np.array([60, 200, 80]) + random.integers(0, 20, 3)
    return image, [disc, square]


def write_coco(folder, count=4):
    """A folder in COCO style with `count` scenes."""
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for number in range(1, count + 1):
        image, masks = scene(number)
        name = f"scene_{number}.png"
        Image.fromarray(image).save(folder / "images" / name)
        images.append(
            {"id": number, "file_name": name, "height": image.shape[0], "width": image.shape[1], "license": 1}
        )
        for mask in masks:
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": 1, "segmentation": rle.encode(mask)}
            )
    document = {"images": images, "annotations": annotations, "licenses": [{"id": 1, "name": "CC0"}]}
    (folder / "annotations.json").write_text(json.dumps(document))
    return folder
