"""Videos made from pictures: one thing that moves, turns, grows and bends over a moving ground, with its exact masks.

Everything follows from a seed. Things are cut out of labelled pictures where there are any, else they are shapes filled
with photographs of scikit-image. Some clips have a look-alike, some an occluder that hides the thing for a while, in
some the thing leaves the picture and comes back elsewhere. Needs OpenCV (requirements-dev.txt).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from annotation import samples
from modelzoo.training import synthetic
from modelzoo.training.data import load_picture

SIZE = (320, 480)  # (height, width)
FRAMES = 40
TEXTURES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "ihc.png", "retina.jpg")
HIDDEN_FOR = 8  # frames of a full occlusion, about


@dataclass(frozen=True)
class Clip:
    """frames: H x W x 3 uint8 RGB each; masks: bool H x W, what is to be seen of the thing, nothing while it is hidden.

    about: words for what makes it hard ("look-alike", "hidden", "leaves"), in order.
    """

    name: str
    frames: list[np.ndarray]
    masks: list[np.ndarray]
    about: tuple[str, ...] = ()


@dataclass(frozen=True)
class Thing:
    """A cut-out: colour H x W x 3 uint8 and cover H x W float32 (1 inside, 0 outside), close around the thing."""

    colour: np.ndarray
    cover: np.ndarray


@dataclass(frozen=True)
class Course:
    """How a thing moves: functions of time 0..1. place: (x, y) in pixels; size: a factor; angle in degrees."""

    place: Callable[[float], np.ndarray]
    size: Callable[[float], float]
    angle: Callable[[float], float]
    bend: float  # pixels by which its parts sway
    phase: float


def photographs() -> list[np.ndarray]:
    """The coloured sample photographs, H x W x 3 uint8."""
    return [load_picture(path) for sample, path in samples.present() if sample.file in TEXTURES]


def clip(
    seed: int,
    things: Sequence[Thing] = (),
    grounds: Sequence[np.ndarray] = (),
    frames: int = FRAMES,
    size: tuple[int, int] = SIZE,
) -> Clip:
    """The clip of a seed. `things` and `grounds` are drawn from where given, else made of sample photographs."""
    random = np.random.default_rng([seed, 20260])
    textures = photographs() if not things or not grounds else []
    grounds = grounds or textures
    ground = _ground(grounds[int(random.integers(len(grounds)))], size)
    thing = things[int(random.integers(len(things)))] if things else made(random, textures)
    side = min(size) * random.uniform(0.28, 0.5)
    trouble = ("", "hidden", "leaves", "hidden")[int(random.integers(4))]
    course = _course(random, size, trouble == "leaves")
    twin = (
        (Thing(thing.colour[:, ::-1], thing.cover[:, ::-1]), _beside(random, size)) if random.random() < 0.4 else None
    )
    occluder = made(random, grounds) if trouble == "hidden" else None
    crossing = random.uniform(0.35, 0.6)
    light, camera = random.uniform(0, 2 * np.pi, 2), random.uniform(-1, 1, 4)
    pictures, masks = [], []
    for number in range(frames):
        time = number / max(frames - 1, 1)
        canvas = _seen_ground(ground, camera, time, size)
        if twin:
            _lay(canvas, *_placed(twin[0], twin[1], time, side, size))
        colour, cover = _placed(thing, course, time, side, size)
        _lay(canvas, colour, cover)
        if occluder is not None:
            shift = (time - crossing) * frames / HIDDEN_FOR * side * 1.5
            over = _placed(occluder, _still(course.place(time) + np.array([shift, 0])), 0, side * 2.3, size)
            _lay(canvas, *over)
            cover = cover * (1 - over[1])
        gain = 1 + 0.12 * np.sin(2 * np.pi * time + light[0])
        noise = random.normal(0, 2.5, canvas.shape)
        pictures.append(np.clip(canvas * gain + noise, 0, 255).astype(np.uint8))
        masks.append(cover > 0.5)
    about = tuple(word for word in ("look-alike" if twin else "", trouble) if word)
    return Clip(f"generated {seed}", pictures, masks, about)


def made(random: np.random.Generator, textures: Sequence[np.ndarray]) -> Thing:
    """A smooth shape filled with a part of a photograph."""
    side = 240
    cover = np.zeros((side, side), bool)
    while not 0.15 < cover.mean() < 0.7:
        corners = [(x / 2, y / 2) for x, y in synthetic.outline(side, side, random, side * 0.8)]
        middle = np.mean(corners, axis=0) - side / 2
        cover = cv2.fillPoly(np.zeros((side, side), np.uint8), [np.asarray(corners - middle, np.int32)], 1) > 0
    colour = synthetic.photograph_crop(side, side, random, textures[int(random.integers(len(textures)))])
    return Thing(colour, cover.astype(np.float32))


def cut_out(picture: np.ndarray, mask: np.ndarray) -> Thing:
    """The thing under a non-empty bool H x W mask of a picture, at most 240 pixels long."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    inner = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    colour, cover = picture[inner], mask[inner].astype(np.float32)
    scale = min(1.0, 240 / max(cover.shape))
    size = max(2, round(cover.shape[1] * scale)), max(2, round(cover.shape[0] * scale))
    return Thing(
        cv2.resize(colour, size, interpolation=cv2.INTER_AREA), cv2.resize(cover, size, interpolation=cv2.INTER_AREA)
    )


def _ground(photograph: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A photograph large enough to move about in, H x W x 3 uint8."""
    scale = 1.35 * max(size[0] / photograph.shape[0], size[1] / photograph.shape[1])
    width, height = round(photograph.shape[1] * scale), round(photograph.shape[0] * scale)
    return cv2.resize(photograph, (width, height), interpolation=cv2.INTER_LINEAR)


def _seen_ground(ground: np.ndarray, camera: np.ndarray, time: float, size: tuple[int, int]) -> np.ndarray:
    """What a camera sees that pans and zooms slowly, float32 H x W x 3."""
    room = np.array([ground.shape[1] - size[1], ground.shape[0] - size[0]]) / 2
    zoom = 1 + 0.06 * camera[2] * np.sin(np.pi * time)
    corner = room * (1 + 0.7 * camera[:2] * np.sin(np.pi * (time - 0.5 + 0.2 * camera[3])))
    matrix = np.array([[zoom, 0, corner[0]], [0, zoom, corner[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(ground, matrix, size[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT).astype(np.float32)


def _course(random: np.random.Generator, size: tuple[int, int], leaves: bool) -> Course:
    height, width = size
    middle = np.array([width, height]) * random.uniform(0.42, 0.58, 2)
    reach = np.array([width, height]) * random.uniform(0.12, 0.26, 2)
    speed, phase = random.uniform(0.6, 1.3, 2), random.uniform(0, 2 * np.pi, 2)
    growth, turn, begin = random.uniform(-0.3, 0.3), random.uniform(-50, 50), random.uniform(0, np.pi)
    exit_to = float(random.choice([-1, 1])) * width

    def place(time: float) -> np.ndarray:
        at = middle + reach * np.sin(2 * np.pi * speed * time + phase)
        if leaves:  # out at one side, back from the other
            gone = np.clip((time - 0.35) / 0.4, 0, 1)
            at = at + np.array([exit_to * (2 * gone - (2 if gone > 0.5 else 0)), 0])
        return at

    return Course(
        place,
        lambda time: float(1 + growth * np.sin(2 * np.pi * 0.8 * time + begin)),
        lambda time: float(turn * np.sin(2 * np.pi * 0.5 * time + begin)),
        bend=random.uniform(1, 5),
        phase=float(begin),
    )


def _still(place: np.ndarray) -> Course:
    """Of what stands at a place, (x, y) in pixels."""
    return Course(lambda _: place, lambda _: 1.0, lambda _: 0.0, 0.0, 0.0)


def _beside(random: np.random.Generator, size: tuple[int, int]) -> Course:
    """Of a look-alike: slowly, nearer to the border."""
    height, width = size
    x, y = (random.choice([0.14, 0.86]) * width, random.uniform(0.2, 0.8) * height)
    drift = random.uniform(-0.2, 0.2) * height
    return Course(lambda time: np.array([x, y + drift * time]), lambda _: 1.0, lambda time: 20 * time, 2.0, 0.0)


def _placed(
    thing: Thing, course: Course, time: float, side: float, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """(colour H x W x 3 float32, cover H x W float32) of a thing in the picture at a time."""
    height, width = thing.cover.shape
    scale = course.size(time) * side / max(height, width)
    x, y = course.place(time)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), course.angle(time), scale)
    turn[:, 2] += (x - width / 2, y - height / 2)
    back = cv2.invertAffineTransform(turn)
    columns, rows = np.meshgrid(np.arange(size[1], dtype=np.float32), np.arange(size[0], dtype=np.float32))
    sway = 2 * np.pi * (1.5 * time)
    columns_in = columns + course.bend * np.sin(rows / 23 + sway + course.phase)
    rows_in = rows + course.bend * np.sin(columns / 29 + 1.3 * sway)
    map_x = (back[0, 0] * columns_in + back[0, 1] * rows_in + back[0, 2]).astype(np.float32)
    map_y = (back[1, 0] * columns_in + back[1, 1] * rows_in + back[1, 2]).astype(np.float32)
    colour = cv2.remap(thing.colour, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.remap(thing.cover, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return colour.astype(np.float32), cover


def _lay(canvas: np.ndarray, colour: np.ndarray, cover: np.ndarray) -> None:
    """Lay a thing on the canvas in place."""
    canvas += cover[..., None] * (colour - canvas)
