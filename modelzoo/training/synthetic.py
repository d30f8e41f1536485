"""Scenes made from nothing: overlapping textured shapes, partitions, cells, thin things, letters, shadows.

They need no files and no licence, teach where things end, and hold every mask exactly. Pictures are H x W x 3 uint8
RGB, masks bool H x W. All randomness comes from the generator passed in.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage, spatial

Random = np.random.Generator
SUPERSAMPLE = 2  # shapes are drawn larger and shrunk, so that their edges are not jagged


# ---- fills -------------------------------------------------------------------------------------------------------
def smooth_noise(height: int, width: int, random: Random, octaves: int = 3) -> np.ndarray:
    """Float H x W in 0..1: a few octaves of enlarged random grids."""
    total = np.zeros((height, width), np.float32)
    cells = random.uniform(2, 8)
    for octave in range(octaves):
        count = max(2, round(cells * 2**octave))
        grid = Image.fromarray(random.random((count, count), np.float32))
        total += np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC)) / 2**octave
    low, high = float(total.min()), float(total.max())
    return (total - low) / (high - low + 1e-6)


def rotated_axis(height: int, width: int, random: Random) -> np.ndarray:
    """Float H x W: a coordinate along a random direction, in pixels."""
    angle = random.uniform(0, np.pi)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))


def pattern(height: int, width: int, random: Random) -> np.ndarray:
    """Float H x W in 0..1: where between two colours a fill lies."""
    kind = random.integers(7)
    period = random.uniform(4, 40)
    if kind == 0:
        return np.full((height, width), random.random(), np.float32)
    if kind == 1:
        axis = rotated_axis(height, width, random)
        return (axis - axis.min()) / (np.ptp(axis) + 1e-6)
    if kind == 2:
        return smooth_noise(height, width, random, int(random.integers(1, 5)))
    if kind == 3:
        wave = np.sin(2 * np.pi * rotated_axis(height, width, random) / period)
        return (0.5 + 0.5 * wave) if random.random() < 0.5 else (wave > 0).astype(np.float32)
    if kind == 4:
        checks = (rotated_axis(height, width, random) // period) + (rotated_axis(height, width, random) // period)
        return (checks % 2).astype(np.float32)
    if kind == 5:
        y, x = np.mgrid[:height, :width] % max(4, int(period)) - period / 2
        return (x**2 + y**2 < (period * random.uniform(0.15, 0.4)) ** 2).astype(np.float32)
    return random.random((height, width), np.float32)


def fill(height: int, width: int, random: Random, photographs: Sequence[np.ndarray]) -> np.ndarray:
    """H x W x 3 uint8: a crop of a photograph, or two colours mixed by a pattern with a little grain."""
    if len(photographs) and random.random() < 0.5:
        return photograph_crop(height, width, random, photographs[int(random.integers(len(photographs)))])
    first, second = random.uniform(0, 255, 3), random.uniform(0, 255, 3)
    if random.random() < 0.5:
        second = np.clip(first + random.normal(0, 40, 3), 0, 255)
    mix = pattern(height, width, random)[..., None]
    grain = random.normal(0, random.uniform(0, 12), (height, width, 1))
    return np.clip(first * (1 - mix) + second * mix + grain, 0, 255).astype(np.uint8)


def photograph_crop(height: int, width: int, random: Random, photograph: np.ndarray) -> np.ndarray:
    """A random part of a photograph at a random scale, with its colours moved."""
    rows, columns = photograph.shape[:2]
    share = random.uniform(0.15, 1.0)
    crop_h = max(8, int(min(rows, columns * height / width) * share))
    crop_w = max(8, int(min(columns, rows * width / height) * share))
    top, left = int(random.integers(rows - crop_h + 1)), int(random.integers(columns - crop_w + 1))
    crop = Image.fromarray(photograph[top : top + crop_h, left : left + crop_w]).resize((width, height))
    gain, shift = random.uniform(0.6, 1.4, 3), random.uniform(-30, 30, 3)
    return np.clip(np.asarray(crop) * gain + shift, 0, 255).astype(np.uint8)


# ---- shapes ------------------------------------------------------------------------------------------------------
def drawn(height: int, width: int, draw: Callable[[ImageDraw.ImageDraw], None]) -> np.ndarray:
    canvas = Image.new("L", (width * SUPERSAMPLE, height * SUPERSAMPLE))
    draw(ImageDraw.Draw(canvas))
    return np.asarray(canvas.resize((width, height), Image.Resampling.BOX)) > 127


def outline(height: int, width: int, random: Random, size: float) -> list[tuple[float, float]]:
    """A closed curve of about `size` pixels: Fourier blob, ellipse, star or few-cornered polygon, at a random place."""
    centre = random.uniform([0, 0], [width, height])
    corners = int(random.integers(3, 8)) if random.random() < 0.3 else 72
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) + random.uniform(0, 2 * np.pi)
    radius = np.ones(corners)
    if corners == 72:
        for wave in range(2, 8):
            radius += (
                random.normal(0, random.choice([0.0, 0.25])) / wave * 2 * np.sin(wave * angles + random.uniform(0, 6))
            )
    radius = np.clip(radius, 0.25, 2.0) * size / 2
    stretch, turn = random.uniform(0.35, 1.0), random.uniform(0, np.pi)
    x, y = radius * np.cos(angles), radius * np.sin(angles) * stretch
    placed_x = centre[0] + x * np.cos(turn) - y * np.sin(turn)
    placed_y = centre[1] + x * np.sin(turn) + y * np.cos(turn)
    return [(float(a) * SUPERSAMPLE, float(b) * SUPERSAMPLE) for a, b in zip(placed_x, placed_y, strict=True)]


def solid(height: int, width: int, random: Random, size: float) -> np.ndarray:
    corners = outline(height, width, random, size)
    shape = drawn(height, width, lambda draw: draw.polygon(corners, fill=255))
    if random.random() < 0.15:  # a ring
        hole = ndimage.distance_transform_edt(shape) > size * random.uniform(0.08, 0.2)
        shape &= ~hole
    return shape


def stroke(height: int, width: int, random: Random, size: float) -> np.ndarray:
    """A thin curve, sometimes with branches."""
    thickness = max(2, int(random.uniform(0.02, 0.09) * size)) * SUPERSAMPLE
    lines = []
    start = random.uniform([0, 0], [width, height]) * SUPERSAMPLE
    for _ in range(int(random.integers(1, 5))):
        heading, place, line = random.uniform(0, 2 * np.pi), start, [tuple(start)]
        for _ in range(int(random.integers(3, 9))):
            heading += random.normal(0, 0.5)
            place = place + size / 4 * SUPERSAMPLE * np.array([np.cos(heading), np.sin(heading)])
            line.append(tuple(place))
        lines.append(line)
        start = np.array(line[int(random.integers(len(line)))])

    def draw_all(draw: ImageDraw.ImageDraw) -> None:
        for line in lines:
            draw.line(line, fill=255, width=thickness, joint="curve")

    return drawn(height, width, draw_all)


def letter(height: int, width: int, random: Random, size: float) -> np.ndarray:
    font = ImageFont.load_default(size=max(12, size * SUPERSAMPLE))
    character = random.choice(list(string.ascii_letters + string.digits))
    place = random.uniform([-size / 4, -size / 4], [width - size / 2, height - size / 2]) * SUPERSAMPLE
    return drawn(height, width, lambda draw: draw.text(tuple(place), str(character), fill=255, font=font))


def shape(height: int, width: int, random: Random) -> np.ndarray:
    """Bool H x W: one thing. Sizes are spread evenly over scales, so small ones are common."""
    size = float(np.exp(random.uniform(np.log(14), np.log(0.9 * min(height, width)))))
    draw = random.random()
    if draw < 0.8:
        return solid(height, width, random, size)
    return stroke(height, width, random, max(size, 40)) if draw < 0.92 else letter(height, width, random, max(size, 24))


# ---- scenes ------------------------------------------------------------------------------------------------------
def partition(height: int, width: int, random: Random) -> np.ndarray:
    """Int H x W labels: warped Voronoi cells, or the levels of smooth noise cut into connected parts."""
    if random.random() < 0.6:
        seeds = random.uniform(0, 1, (int(random.integers(3, 24)), 2)) * [height, width]
        y, x = np.mgrid[:height, :width].astype(np.float32)
        warp = random.uniform(0, 0.2) * min(height, width)
        y = y + warp * (smooth_noise(height, width, random, 2) - 0.5)
        x = x + warp * (smooth_noise(height, width, random, 2) - 0.5)
        _, nearest = spatial.cKDTree(seeds).query(np.stack([y.ravel(), x.ravel()], 1))
        return np.asarray(nearest, np.int32).reshape(height, width)
    levels = (smooth_noise(height, width, random, 2) * random.integers(3, 6)).astype(np.int32)
    labels, count = np.zeros_like(levels), 0
    for level in np.unique(levels):
        found, parts = ndimage.label(levels == level)
        labels[found > 0] = found[found > 0] + count
        count += parts
    return labels


def paint(canvas: np.ndarray, mask: np.ndarray, texture: np.ndarray, softness: float) -> None:
    """Lay a texture on the canvas in place (float32 H x W x 3), its edge blurred by `softness` pixels."""
    cover = ndimage.gaussian_filter(mask.astype(np.float32), softness)[..., None]
    canvas += cover * (texture - canvas)


def cells(height: int, width: int, random: Random) -> tuple[np.ndarray, list[np.ndarray]]:
    """A microscopy-like field: many similar roundish things, bright on dark or the reverse."""
    background, bright = random.uniform(0, 60, 3), random.uniform(110, 255, 3)
    if random.random() < 0.5:
        background, bright = 255 - background, 255 - bright
    canvas = np.empty((height, width, 3), np.float32)
    canvas[:] = background
    canvas += 25 * (smooth_noise(height, width, random)[..., None] - 0.5)
    size = random.uniform(10, max(12.0, 0.2 * min(height, width)))
    taken, masks = np.zeros((height, width), bool), []
    for _ in range(int(random.integers(8, 50))):
        one = drawn(
            height,
            width,
            lambda draw: draw.polygon(outline(height, width, random, size * random.uniform(0.7, 1.4)), fill=255),
        )
        one &= ~taken
        if one.sum() < 40:
            continue
        taken |= one
        masks.append(one)
        texture = bright * random.uniform(0.6, 1.0) + 40 * (smooth_noise(height, width, random)[..., None] - 0.5)
        paint(canvas, one, texture.astype(np.float32), random.uniform(0.4, 1.5))
    return np.clip(canvas, 0, 255).astype(np.uint8), masks


def layered(
    height: int, width: int, random: Random, photographs: Sequence[np.ndarray]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Shapes laid over one another on a filled or partitioned ground; what is covered later is no longer mask.

    Some shapes carry a part of their own texture, and whole and part are both kept: the ambiguity of a click.
    """
    canvas = fill(height, width, random, photographs).astype(np.float32)
    masks: list[np.ndarray] = []
    if random.random() < 0.4:
        labels = partition(height, width, random)
        for value in np.unique(labels):
            region = labels == value
            paint(canvas, region, fill(height, width, random, photographs).astype(np.float32), random.uniform(0, 1))
            masks.append(region)
    for _ in range(int(random.integers(2, 13))):
        new = [shape(height, width, random)]
        if random.random() < 0.25:
            new.append(new[0] & shape(height, width, random))
        if random.random() < 0.3:
            shadow = ndimage.gaussian_filter(np.roll(new[0], (4, 4), (0, 1)).astype(np.float32), 4)
            canvas *= 1 - 0.5 * shadow[..., None]
        for region in new:
            paint(canvas, region, fill(height, width, random, photographs).astype(np.float32), random.uniform(0, 1.2))
        masks = [mask & ~new[0] for mask in masks] + new
    if random.random() < 0.4:
        canvas *= 0.6 + 0.8 * smooth_noise(height, width, random, 1)[..., None]
    return np.clip(canvas, 0, 255).astype(np.uint8), masks


def scene(
    height: int, width: int, random: Random, photographs: Sequence[np.ndarray] = ()
) -> tuple[np.ndarray, list[np.ndarray]]:
    """One synthetic picture, H x W x 3 uint8, and its masks, each bool H x W with at least one pixel."""
    if random.random() < 0.25:
        picture, masks = cells(height, width, random)
    else:
        picture, masks = layered(height, width, random, photographs)
    return picture, [mask for mask in masks if mask.any()]
