"""Decoding pictures from outside in a child process that may crash, hang or run out of memory without harm.

    with Cage() as cage:
        decoded = cage.decode(source, folder)

One child serves many pictures, so that a batch pays for its start once; a child that dies is replaced.
"""

from __future__ import annotations

import contextlib
import json
import logging
import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from django.conf import settings

from annotation.errors import UserError

logger = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
START = "import sys; sys.path.insert(0, {root!r}); from {module} import main; main()"
WALL_SECONDS = 240  # of the largest picture; the child's own limit of CPU follows from the picture's size


@dataclass(frozen=True)
class Decoded:
    """What came out: size in pixels of the display file, its name in the folder, what was done to the pixels.

    `mapping` is that of deep values (annotation.ingest.depth), `georeference` the place that a GeoTIFF tells
    (annotation.ingest.tiff), `pixel_size` (metres, who says so) what a file tells (annotation.ingest.scale).
    """

    width: int
    height: int
    media_type: str
    display: str
    conversion: str
    mapping: dict[str, Any] | None = None
    georeference: dict[str, Any] | None = None
    pixel_size: tuple[float, str] | None = None


class Cage:
    """A decoder child; use it as a context manager, from one thread. `module` has the child's `main`."""

    module = "annotation.ingest.decode"

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def decode(self, source: Path, folder: Path, mapping: dict[str, Any] | None = None) -> Decoded:
        """Write display.(jpg|png) and thumbnail.jpg of `source` into `folder`. Raises UserError with the reason.

        `mapping` says how deep values are to be shown, None as the file or its values suggest.
        """
        request = {
            "source": str(source),
            "folder": str(folder),
            "max_pixels": settings.ANYMASK_MAX_IMAGE_PIXELS,
            "mapping": mapping,
        }
        answer = self._ask(request)
        if "code" in answer:
            raise UserError(answer["code"], answer["message"])
        return Decoded(**answer)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        child = self._child or self._start()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()
            if not select.select([child.stdout], [], [], WALL_SECONDS)[0]:
                raise TimeoutError
            line = child.stdout.readline()
            if not line.endswith(b"\n"):
                raise EOFError
            answer = json.loads(line)
        except TimeoutError:
            self._end()
            raise UserError("image_too_slow", "The picture takes too long to decode.") from None
        except (OSError, EOFError, ValueError):
            self._end()
            logger.warning("the decoder died", extra={"code": child.returncode})
            raise UserError("image_damaged", "The picture is damaged: it stopped the decoder.") from None
        assert isinstance(answer, dict)
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
        }
        self._child = subprocess.Popen(  # noqa: S603  our own interpreter and script, no shell
            [sys.executable, "-I", "-c", START.format(root=str(ROOT), module=self.module)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for pipe in (child.stdin, child.stdout):
            if pipe:
                with contextlib.suppress(OSError):  # a write that the dead child never read
                    pipe.close()
        child.wait()
