"""Marks on pictures for people to look at: masks as colour, outlines, clicks, words."""

from __future__ import annotations

import numpy as np
from PIL import ImageDraw, ImageFont
from scipy import ndimage

INK, FAINT, PAPER = (33, 37, 41), (134, 142, 150), (255, 255, 255)
TEAL, ORANGE = (12, 166, 150), (245, 100, 0)
GRID = (226, 230, 234)
SCALE = 3  # figures are drawn larger and scaled down, which is what makes the lines smooth
Colour = tuple[int, int, int]


def words(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    size: float,
    fill: Colour = INK,
    anchor: str = "la",
) -> None:
    """Text at a place; `anchor` as in Pillow ("la": left and top, "mm": middle)."""
    draw.text(place, text, fill=fill, font=ImageFont.load_default(size), anchor=anchor)


def tinted(image: np.ndarray, mask: np.ndarray, colour: Colour) -> np.ndarray:
    """H x W x 3 uint8 picture with a bool H x W mask laid over it in a colour; a copy."""
    pixels = image.astype(np.float32)
    pixels[mask] = 0.4 * pixels[mask] + 0.6 * np.array(colour, np.float32)
    return pixels.astype(np.uint8)


def outlined(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture with the outline of a bool H x W mask: white, and dark beside it, so that it shows on anything."""
    pixels = image.copy()
    inner = mask & ~ndimage.binary_erosion(mask)
    outer = ndimage.binary_dilation(mask) & ~mask
    pixels[outer] = (20, 20, 20)
    pixels[inner] = PAPER
    return pixels


def ring(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float = 6) -> None:
    """A click, as a white ring on a dark one."""
    draw.ellipse([x - radius - 1, y - radius - 1, x + radius + 1, y + radius + 1], outline=INK, width=5)
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=PAPER, width=3)


class Pen:
    """Draws on a sheet that is SCALE times enlarged, in the coordinates of the final one."""

    def __init__(self, draw: ImageDraw.ImageDraw) -> None:
        self.draw = draw

    def line(self, *places: tuple[float, float], fill: Colour = INK, width: float = 1) -> None:
        scaled = [(x * SCALE, y * SCALE) for x, y in places]
        self.draw.line(scaled, fill=fill, width=round(width * SCALE), joint="curve")

    def dot(self, x: float, y: float, radius: float, fill: Colour) -> None:
        self.draw.ellipse(
            [(x - radius) * SCALE, (y - radius) * SCALE, (x + radius) * SCALE, (y + radius) * SCALE], fill
        )

    def bar(self, x0: float, y0: float, x1: float, y1: float, fill: Colour) -> None:
        self.draw.rectangle([x0 * SCALE, y0 * SCALE, x1 * SCALE, y1 * SCALE], fill)

    def words(self, x: float, y: float, text: str, size: float = 13, fill: Colour = INK, anchor: str = "la") -> None:
        words(self.draw, (x * SCALE, y * SCALE), text, size * SCALE, fill, anchor)
