"""What the API tells, as values: the fields that scripts use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RLE = dict[str, Any]
Row = TypeVar("Row", bound="DataclassInstance")


@dataclass(frozen=True)
class Dataset:
    """A dataset as the caller sees it."""

    id: int
    name: str
    role: str
    stage: str
    description: str = ""
    licence: str = ""
    image_count: int = 0
    mask_count: int = 0


@dataclass(frozen=True)
class Image:
    """One picture; `file_url` is the upright 8-bit one that masks are drawn on."""

    id: int
    dataset: int
    file_name: str
    sha256: str
    width: int
    height: int
    split: str
    licence: str
    file_url: str
    mask_count: int


@dataclass(frozen=True)
class Mask:
    """One object on one image. `bbox` is [x, y, w, h] in pixels, `segmentation` compressed COCO RLE."""

    id: str
    image: int
    segmentation: RLE
    bbox: list[int]
    area: int
    category: str
    crowd: bool
    stage: str
    source: str
    status: str
    parent: str | None
    predicted_iou: float | None
    stability_score: float | None
    model: str
    created_by: str | None
    seconds: float


@dataclass(frozen=True)
class Candidate:
    """One mask that the model offers for a prompt."""

    segmentation: RLE
    predicted_iou: float
    stability_score: float
    bbox: list[int]
    area: int
    model: str = ""


@dataclass(frozen=True)
class Segmented:
    """The answer to one prompt of `Client.segment`, in pixels; `area` is 0 where the model found nothing.

    centroid is (x, y), area_m2 None where the scale of the picture is not known; angle (degrees of the longer axis to
    the x axis, clockwise), major and minor (full axes) are None unless they were asked for.
    """

    name: str
    segmentation: RLE
    bbox: list[int]
    area: int
    area_m2: float | None
    centroid: tuple[float, float] | None
    predicted_iou: float
    stability_score: float
    model: str
    angle: float | None = None
    major: float | None = None
    minor: float | None = None


@dataclass(frozen=True)
class Alike:
    """A mask that looks like what was sought; `score`, 0 to 1, orders and is no probability. Nothing is saved."""

    segmentation: RLE
    bbox: list[int]
    area: int
    score: float
    predicted_iou: float
    stability_score: float
    category: str = ""
    model: str = ""


@dataclass(frozen=True)
class Job:
    """Machine work: `state` is queued, running, succeeded, failed or cancelled."""

    id: str
    kind: str
    title: str
    state: str
    progress: float
    message: str = ""
    error: dict[str, Any] | None = None
    result: dict[str, Any] | None = None


@dataclass(frozen=True)
class Upload:
    """A file on its way in, and how many pictures of it are new, known already or refused."""

    id: str
    file_name: str
    fingerprint: str
    byte_size: int
    received: int
    state: str
    added: int
    known: int
    refused: int
    refusals: list[dict[str, str]] = field(default_factory=list)


class JobFailed(Exception):
    """A job ended without success; `job` says why."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"{job.title} {job.state}: {(job.error or {}).get('message', '')}")
        self.job = job


def row_of(kind: type[Row], told: Mapping[str, Any]) -> Row:
    """The fields that a class knows; a newer server may tell more."""
    names = {one.name for one in fields(kind)}
    return kind(**{name: value for name, value in told.items() if name in names})
