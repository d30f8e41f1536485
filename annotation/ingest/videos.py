"""Videos from outside, decoded frame by frame in a child process that may crash, hang or run out of memory.

with VideoCage() as cage:
    about = cage.open(source)
    cage.begin(rate=5, after=None)
    while (frame := cage.next(folder)) is not None: ...
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotation.errors import UserError
from annotation.ingest.cage import Cage
from annotation.ingest.video_child import media_type

MAX_PIXELS = 8192 * 4608  # of a frame: 8K


@dataclass(frozen=True)
class About:
    """What a file tells of itself: size in pixels of the upright frame, seconds (0: unknown), frames of a second."""

    width: int
    height: int
    duration: float
    frame_rate: float
    media_type: str


@dataclass(frozen=True)
class Frame:
    """One frame that was written: seconds from the first one on, the display file's name, what was done to it."""

    time: float
    display: str
    conversion: str


def is_video(path: Path) -> bool:
    """Whether the file begins like a video that is read here, whatever it is called."""
    with path.open("rb") as file:
        return bool(media_type(file.read(64)))


class VideoCage(Cage):
    """A child that decodes one video. After the last frame `ended` is its time and `damaged` what was left out."""

    module = "annotation.ingest.video_child"

    def __init__(self) -> None:
        super().__init__()
        self.ended = 0.0
        self.damaged = 0

    def open(self, source: Path) -> About:
        """Read the head and the first frame. Raises UserError with the reason."""
        return About(**self._told({"source": str(source), "max_pixels": MAX_PIXELS}))

    def begin(self, *, rate: float, after: float | None) -> None:
        """Take `rate` frames of a second (0: every one), those later than `after` seconds. Raises UserError."""
        self._told({"rate": rate, "after": after})

    def next(self, folder: Path) -> Frame | None:
        """Write display.(jpg|png) and thumbnail.jpg of the next frame into `folder`; None after the last one.

        Raises UserError if the decoder gives up here: what came before is good.
        """
        told = self._told({"folder": str(folder)})
        if "end" in told:
            self.ended, self.damaged = float(told["end"]), int(told["damaged"])
            return None
        return Frame(**told)

    def _told(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = self._ask(request)
        except UserError as problem:
            slow = problem.code == "image_too_slow"
            told = "takes too long to decode" if slow else "is damaged: it stopped the decoder"
            raise UserError("video_too_slow" if slow else "video_damaged", f"The video {told}.") from None
        if "code" in answer:
            raise UserError(answer["code"], answer["message"])
        return answer
