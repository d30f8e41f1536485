"""The caged child that decodes videos: like annotation.ingest.decode, but it keeps one file open between requests.

Started by annotation.ingest.videos in a process of its own; it knows no Django. Each line on stdin is a JSON request,
each line on stdout its answer or {code, message}:

- {source, max_pixels}: opens a file and tells {width, height, duration, frame_rate, media_type}, of the upright frame,
  in seconds (0: the file does not say) and frames of a second.
- {rate, after}: from now on, `rate` frames of a second (0: every one), those later than `after` seconds (null: all).
- {folder}: writes display.(jpg|png) and thumbnail.jpg of the next frame and tells {time, display, conversion}; after
  the last one {end, damaged}: the time at which the pictures end, and how many could not be decoded.

Times are those of the file's time stamps, from the first frame on: files without a constant rate come out right.
"""

from __future__ import annotations

import contextlib
import errno
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotation.ingest.decode import serve, write
from annotation.ingest.refusal import Refused

BASE_BYTES = 3 << 29  # address space: FFmpeg's libraries and their threads' stacks, and so much more for each pixel:
BYTES_PER_PIXEL = 72  # up to 17 frames that others refer to, once more for each thread, and the RGB picture
CPU_SECONDS = 120  # of one request: many frames may lie between two that are taken
THREADS = 2
EARLY = 1e-4  # seconds: time stamps are rounded
USUAL_RATE = 25.0  # where a file tells no believable one
RATES = (0.001, 1000.0)
# Recognised by content -> the only demuxer that may read it: none that follows addresses or opens other files.
DEMUXERS = {"video/mp4": "mov", "video/quicktime": "mov", "video/webm": "matroska", "video/x-msvideo": "avi"}
LOSSLESS = frozenset({"ffv1", "huffyuv", "ffvhuff", "utvideo", "qtrle", "png", "rawvideo"})
LOSSY = frozenset(
    {"h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "prores", "dnxhd", "h263"}
    | {"msmpeg4v2", "msmpeg4v3", "wmv2", "vc1", "theora", "cfhd", "dvvideo"}
)


def media_type(head: bytes) -> str:
    """What the first 64 bytes of a file say it is; empty for what is no video. Matroska is told as WebM, its subset."""
    brand = head[8:12]
    if head[4:8] == b"ftyp":
        if brand in (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis"):
            return ""
        return "video/quicktime" if brand == b"qt  " else "video/mp4"
    if head[4:8] in (b"moov", b"mdat", b"wide"):
        return "video/quicktime"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "video/webm"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "video/x-msvideo"
    return ""


@dataclass
class Picked:
    """Which frames are taken: those on or right after the ticks of a clock, each once."""

    rate: float
    after: float

    def takes(self, time: float) -> bool:
        """Whether a frame at this time is one of them; frames come in order."""
        if time <= self.after + EARLY / 10:
            return False
        if self.rate and self.after >= 0 and time < self._tick() - EARLY:
            return False
        self.after = time
        return True

    def _tick(self) -> float:
        """The first tick after the last frame that was taken."""
        return (int((self.after + EARLY) * self.rate) + 1) / self.rate


class Reading:
    """One open video."""

    def __init__(self, source: Path, max_pixels: int) -> None:
        with source.open("rb") as file:
            self.media_type = media_type(file.read(64))
        if not self.media_type:
            raise Refused("not_a_video", "This is not an MP4, MOV, WebM, MKV or AVI video.")
        self.source = source
        self.max_pixels = max_pixels
        self.damaged = 0
        self.clock = 0.0
        self.picked = Picked(0, -1)
        self._open()
        # Size and rotation of the first frame are those of all.
        first = next(self._decoded(), None)
        if first is None:
            raise Refused("video_damaged", "No picture of this video can be decoded: it is damaged or incomplete.")
        self.size = (first.width, first.height)
        self.turn = _turn(first.rotation)
        self.start = first.pts
        self._check(*self.size)
        self.frames: Iterator[Any] = iter(())

    def _open(self) -> None:
        import av

        self.container = av.open(f"file:{self.source}", format=DEMUXERS[self.media_type])
        streams = [one for one in self.container.streams.video if not one.disposition & one.disposition.attached_pic]
        if not streams:
            raise Refused("no_video", "The file holds no moving pictures.")
        self.stream = streams[0]
        codec = self.stream.codec_context.name
        if codec not in LOSSY | LOSSLESS:
            raise Refused("video_codec", f"The video is coded as {codec}, which is not read here.")
        self._check(self.stream.codec_context.width, self.stream.codec_context.height)
        self.stream.codec_context.thread_count = THREADS
        self.stream.thread_type = "AUTO"
        self.lossy = codec in LOSSY

    def about(self) -> dict[str, Any]:
        """What the file tells of itself."""
        width, height = self.size if self.turn in (0, 180) else self.size[::-1]
        duration = (self.container.duration or 0) / 1e6
        if self.stream.duration and self.stream.time_base:
            duration = float(self.stream.duration * self.stream.time_base)
        rate = float(self.stream.average_rate or self.stream.guessed_rate or 0)
        return {
            "width": width,
            "height": height,
            "duration": min(max(duration, 0.0), 1e7),
            "frame_rate": rate if RATES[0] <= rate <= RATES[1] else USUAL_RATE,
            "media_type": self.media_type,
        }

    def begin(self, rate: float, after: float | None) -> None:
        """Go to what comes after a time; from the start where the file cannot be entered in the middle."""
        import av

        self.picked = Picked(rate, -1.0 if after is None else after)
        self.damaged = 0
        if after and self.start is not None and self.stream.time_base:
            with contextlib.suppress(av.error.FFmpegError):
                target = self.start + int(after / self.stream.time_base)
                self.container.seek(target, stream=self.stream, backward=True)
                frames = self._decoded()
                first = next(frames, None)
                if first is not None and self._time(first) <= after:
                    self.frames = frames
                    return
        self.container.close()
        self._open()
        self.damaged = 0
        self.clock = -1 / float(self.stream.average_rate or USUAL_RATE)  # the first frame is at 0
        self.frames = self._decoded()

    def next(self, folder: Path) -> dict[str, Any]:
        """Write the next frame that is taken."""
        for frame in self.frames:
            time = self._time(frame)
            if not self.picked.takes(time):
                continue
            self._check(frame.width, frame.height)
            width, height = self.size
            picture = frame.reformat(width=width, height=height, format="rgb24").to_image()
            if self.turn:
                from PIL import Image

                picture = picture.transpose(Image.Transpose[f"ROTATE_{self.turn}"])
            display = write(picture, folder, lossy=self.lossy)
            return {"time": time, "display": display, "conversion": "turned upright" if self.turn else ""}
        return {"end": self.clock, "damaged": self.damaged}

    def _decoded(self) -> Iterator[Any]:
        """Frames in order, without those that are damaged; what cannot be read any further ends them."""
        import av

        with contextlib.suppress(av.error.FFmpegError, EOFError):
            for packet in self.container.demux(self.stream):
                try:
                    frames = packet.decode()
                except (av.error.FFmpegError, ValueError):
                    self.damaged += 1
                    continue
                for frame in frames:
                    if frame.is_corrupt:
                        self.damaged += 1
                    else:
                        yield frame
            return
        self.damaged += 1

    def _time(self, frame: Any) -> float:
        """Seconds from the first frame on; counted where the file has no time stamps."""
        if frame.pts is None or self.start is None:
            self.clock += 1 / float(self.stream.average_rate or USUAL_RATE)
        else:
            self.clock = float((frame.pts - self.start) * frame.time_base)
        return self.clock

    def _check(self, width: int, height: int) -> None:
        """The limit of pixels, and room for what is allowed."""
        if width * height > self.max_pixels:
            limit = f"{self.max_pixels / 1e6:.0f} megapixels"
            raise Refused("video_too_large", f"The frames are {width} x {height} pixels; the limit is {limit}.")
        _allow(width * height)


def _turn(rotation: int) -> int:
    """Degrees counterclockwise that make a frame upright, in quarters of a circle."""
    return round(rotation / 90) * 90 % 360


def _allow(pixels: int) -> None:
    """Limit CPU and address space to what one request about frames of this size needs."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    for name, soft in (
        (resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime) + CPU_SECONDS),
        (resource.RLIMIT_AS, BASE_BYTES + pixels * BYTES_PER_PIXEL),
    ):
        hard = resource.getrlimit(name)[1]
        resource.setrlimit(name, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


class Answering:
    """The open video, from one request to the next."""

    def __init__(self) -> None:
        self.reading: Reading | None = None

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one; every way in which FFmpeg refuses becomes a sentence."""
        try:
            return self._answer(request)
        except Refused as refused:
            return {"code": refused.args[0], "message": refused.args[1]}
        except MemoryError:
            return {"code": "video_too_large", "message": "The video needs more memory than one video may take."}
        except ModuleNotFoundError:
            return {"code": "video_unreadable", "message": "Videos cannot be read here: PyAV is not installed."}
        except Exception as problem:  # the cage is where decoders may go wrong in ways nobody has seen yet
            if getattr(problem, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                return {"code": "disk_full", "message": "The disk is full."}
            print(f"{type(problem).__name__}: {problem}", file=sys.stderr)  # noqa: T201  the parent logs it
            return {"code": "video_damaged", "message": "The video is damaged or incomplete and cannot be decoded."}

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if "source" in request:
            _allow(0)
            self.reading = Reading(Path(request["source"]), int(request["max_pixels"]))
            return self.reading.about()
        assert self.reading is not None
        _allow(self.reading.size[0] * self.reading.size[1])
        if "rate" in request:
            self.reading.begin(float(request["rate"]), request["after"])
            return {}
        return self.reading.next(Path(request["folder"]))


def _load() -> None:
    from PIL import Image

    Image.preinit()
    with contextlib.suppress(ModuleNotFoundError):  # its wheel holds parts under the GPL (docs/operations.md)
        import av

        av.logging.set_level(None)


def main() -> None:
    """The child that decodes videos."""
    serve(_load, Answering())
