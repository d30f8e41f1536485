"""Training views: a crop of a labelled photograph (sometimes with things pasted in) or a synthetic scene, jittered.

A view is an H x W x 3 uint8 picture and its masks, bool H x W each, at the size the model is trained on.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage

from modelzoo import rle
from modelzoo.training import synthetic
from modelzoo.training.data import Record, load_picture

Random = np.random.Generator
MOST_MASKS = 12  # decoded per view; a crowded picture offers others next time
LEAST_AREA = 48  # pixels of a mask in a view; smaller ones cannot be clicked
MOST_ENLARGED = 2.0  # pixels of a view for one of the picture, where a crop is narrowed for a small mask


@dataclass(frozen=True)
class View:
    image: np.ndarray
    masks: list[np.ndarray]


Window = tuple[float, float, float, float]


def crop_window(record: Record, view: tuple[int, int], random: Random) -> tuple[Window, int | None]:
    """x0, y0, x1, y1 of a crop for a view of (height, width): 12 to 100 % of the largest that fits.

    Half of the crops are laid around one of the masks, so that small things are seen large now and then. Where that
    mask would have less than LEAST_AREA the crop is narrower still, and the mask's number is returned, too.
    """
    width, height = record.width, record.height
    aspect = view[1] / view[0]
    full_w, full_h = min(width, height * aspect), min(height, width / aspect)
    scale = float(np.sqrt(random.uniform(0.12, 1.0)))
    crop_w, crop_h = full_w * scale, full_h * scale
    left, top = random.uniform(0, width - crop_w), random.uniform(0, height - crop_h)
    small = None
    if random.random() < 0.5:
        index = int(random.integers(len(record.masks)))
        x, y, w, h = rle.bbox(record.masks[index])
        seen = rle.area(record.masks[index]) * (view[1] / crop_w) ** 2
        if seen < LEAST_AREA:
            narrower = max(np.sqrt(seen / (2 * LEAST_AREA)), view[1] / (MOST_ENLARGED * crop_w))
            crop_w, crop_h = (side * min(1.0, float(narrower)) for side in (crop_w, crop_h))
            small = index
        left = np.clip(x + w / 2 - crop_w * random.uniform(0.3, 0.7), 0, width - crop_w)
        top = np.clip(y + h / 2 - crop_h * random.uniform(0.3, 0.7), 0, height - crop_h)
    return (float(left), float(top), float(left + crop_w), float(top + crop_h)), small


def photograph_view(record: Record, height: int, width: int, random: Random) -> View:
    """A random crop of a labelled picture, resized to height x width, flipped half of the time."""
    window, small = crop_window(record, (height, width), random)
    picture = Image.fromarray(load_picture(record.image_path))
    image = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR, box=window))
    chance = np.asarray(record.weights or np.ones(len(record.masks)), np.float64)
    chance = chance * size_balance(np.array([rle.area(mask) for mask in record.masks]))
    count = min(len(record.masks), MOST_MASKS, int((chance > 0).sum()))
    picked = random.choice(len(record.masks), count, replace=False, p=chance / chance.sum())
    if small is not None and chance[small] > 0 and small not in picked:
        picked[0] = small
    masks = []
    for index in picked:
        whole = Image.fromarray(rle.decode(record.masks[index]).astype(np.uint8) * 255)
        part = np.asarray(whole.resize((width, height), Image.Resampling.BILINEAR, box=window)) > 127
        if part.any():
            masks.append(part)
    if random.random() < 0.5:
        image, masks = image[:, ::-1], [mask[:, ::-1] for mask in masks]
    if random.random() < 0.15:
        image, masks = image[::-1], [mask[::-1] for mask in masks]
    return View(image, masks)


def size_balance(areas: np.ndarray) -> np.ndarray:
    """Relative chance of objects by their area: the square root.

    Pictures hold many small regions for each large one. Drawn evenly, large ones come so rarely that a box round half a
    picture was answered with an empty mask (measured; docs/decisions/0005-encoder-designs.md).
    """
    return np.sqrt(np.maximum(areas, 1).astype(np.float64))


def cut_out(record: Record, most: int, random: Random) -> tuple[np.ndarray, np.ndarray] | None:
    """One object of a record as (h x w x 3 uint8, bool h x w), at most `most` pixels long; None for tiny ones."""
    mask = record.masks[int(random.integers(len(record.masks)))]
    x, y, w, h = (int(value) for value in rle.bbox(mask))
    if min(w, h) < 12:
        return None
    picture = load_picture(record.image_path)[y : y + h, x : x + w]
    cover = rle.decode(mask)[y : y + h, x : x + w]
    scale = min(1.5, most * random.uniform(0.15, 0.8) / max(w, h))
    size = (max(6, int(w * scale)), max(6, int(h * scale)))
    small = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
    small_cover = np.asarray(Image.fromarray(cover.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR))
    if random.random() < 0.5:
        small, small_cover = small[:, ::-1], small_cover[:, ::-1]
    return small, small_cover > 127


def paste(view: View, record: Record, random: Random) -> View:
    """The view with one object of another picture laid on it (copy-paste augmentation)."""
    height, width = view.image.shape[:2]
    cut = cut_out(record, min(height, width), random)
    if cut is None:
        return view
    piece, cover = jitter(cut[0], random, strong=False), cut[1]
    top = int(random.integers(-cover.shape[0] // 3, height - cover.shape[0] * 2 // 3))
    left = int(random.integers(-cover.shape[1] // 3, width - cover.shape[1] * 2 // 3))
    target = np.zeros((height, width), bool)
    texture = np.zeros((height, width, 3), np.float32)
    rows = slice(max(0, top), min(height, top + cover.shape[0]))
    columns = slice(max(0, left), min(width, left + cover.shape[1]))
    inner = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    target[rows, columns] = cover[inner]
    texture[rows, columns] = piece[inner]
    if target.sum() < 40:
        return view
    soft = ndimage.gaussian_filter(target.astype(np.float32), random.uniform(0.3, 1.0))[..., None] * target[..., None]
    image = (view.image * (1 - soft) + texture * soft).astype(np.uint8)
    return View(image, [mask & ~target for mask in view.masks] + [target])


def jitter(image: np.ndarray, random: Random, strong: bool = True) -> np.ndarray:
    """Light, contrast, colour, gamma; when `strong` also grey, blur, noise and JPEG. uint8 in, uint8 out."""
    pixels = image.astype(np.float32)
    pixels = (pixels - 128) * random.uniform(0.6, 1.4) + 128 + random.uniform(-30, 30)
    grey = pixels.mean(-1, keepdims=True)
    pixels = grey + (pixels - grey) * random.uniform(0.4, 1.5)
    pixels = pixels * random.uniform(0.85, 1.15, 3).astype(np.float32)
    pixels = 255 * np.clip(pixels / 255, 0, 1) ** np.float32(random.uniform(0.7, 1.4))
    if not strong:
        return pixels.astype(np.uint8)
    if random.random() < 0.1:
        pixels = np.repeat(pixels.mean(-1, keepdims=True), 3, -1)
    if random.random() < 0.05:
        pixels = 255 - pixels
    if random.random() < 0.3:
        pixels = pixels + random.normal(0, random.uniform(2, 14), pixels.shape).astype(np.float32)
    result = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    if random.random() < 0.2:
        result = result.filter(ImageFilter.GaussianBlur(random.uniform(0.4, 1.5)))
    if random.random() < 0.2:
        stored = io.BytesIO()
        result.save(stored, "JPEG", quality=int(random.integers(30, 90)))
        result = Image.open(stored, formats=["JPEG"])
    return np.asarray(result)


def make_view(
    records: Sequence[Record], chances: np.ndarray, synthetic_share: float, height: int, width: int, random: Random
) -> View:
    """One view: synthetic with `synthetic_share`, else a record drawn by `chances` (summing to 1), 0 to 3 pastes."""
    if not len(records) or random.random() < synthetic_share:
        textures = [load_picture(records[i].image_path) for i in random.choice(len(records), 2)] if records else []
        image, masks = synthetic.scene(height, width, random, textures)
        return View(jitter(image, random), masks)
    view = photograph_view(records[int(random.choice(len(records), p=chances))], height, width, random)
    if random.random() < 0.5:
        for _ in range(int(random.integers(1, 4))):
            view = paste(view, records[int(random.choice(len(records), p=chances))], random)
    return View(jitter(view.image, random), view.masks)
