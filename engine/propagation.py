"""A track goes on through its video: the model proposes a mask on one frame after the other.

A job starts from the mask that the track has on a frame and goes forward, backward or both ways. Each mask is stored as
soon as it is made, so that the timeline fills; what was stored stays when the job is stopped. It ends before a frame on
which somebody accepted a mask of the track: that is what people said, and it is remembered instead of written over.
How a mask is found is told in modelzoo.propagation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError

from annotation.errors import Conflict, UserError
from annotation.jobkit import JobContext, declare, enqueue
from annotation.models import Image, Job, Mask, Member, Track
from annotation.services.tasks import tasks_of_others
from annotation.services.tracks import proposals_discard, track_propose
from engine.embeddings import image_maps, read_pixels
from engine.models import ModelVersion
from engine.serving import predictor_for, serving_version
from modelzoo import rle

if TYPE_CHECKING:
    from modelzoo.propagation import Followed, Propagator, View

PROPAGATE = declare(
    "propagate_track", queue="batch", title="Follow through a video", lease=120, role=Member.Role.ANNOTATOR
)
STEPS = {"forward": (1,), "backward": (-1,), "both": (1, -1)}
MOST_FRAMES = 1000  # of one job, each way
REMEMBERED = 6  # masks of the track that people accepted: those nearest to the start


@dataclass
class Outcome:
    """What became of the frames. Numbers are those of frames (`Image.frame_number`)."""

    model: str
    frames: int = 0
    masks: int = 0
    absent: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)  # left to those who work on them
    stopped_at: list[int] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The job's result."""
        return vars(self)


def propagation_request(
    *, track: Track, image: Image, direction: str = "forward", frames: int | None = None, by: Any = None
) -> Job:
    """Queue following a track from its mask on `image` over at most `frames` frames each way (None: MOST_FRAMES).

    One open job per track; asking for the same again gives that one. Raises UserError `other_video`, Conflict
    `no_mask_here` if the track has no mask on the frame, Conflict `propagation_open` if it is being followed in another
    way (`details.job`), NotReady without a model.
    """
    if image.video_id != track.video_id:
        raise UserError("other_video", "This image is not a frame of the track's video.")
    if _current(track, image) is None:
        raise Conflict("no_mask_here", "The object has no mask on this frame to start from.")
    dataset = track.video.dataset
    payload = {
        "track": str(track.uuid),
        "image": image.pk,
        "direction": direction,
        "frames": frames,
        "digest": serving_version(dataset.pk).digest,
    }
    title = f"Follow {track.category}" if track.category else PROPAGATE.title
    job = enqueue(
        PROPAGATE.name, payload, dataset=dataset, created_by=by, dedupe_key=str(track.uuid), title=title[:200]
    )
    if job.payload != payload:
        told = "This object is being followed already. Stop that job, or wait for its end."
        raise Conflict("propagation_open", told, {"job": str(job.pk)})
    return job


def track_propagate(
    *, ctx: JobContext, track: Track, start: Image, direction: str, frames: int | None, version: ModelVersion
) -> dict[str, Any]:
    """Follow a track from its mask on `start`. Workers only.

    What an earlier attempt of the same job has stored is taken as it is, unless the start's mask has changed since:
    work done twice gives each mask once. Ends without an error when the track or the start's mask went away meanwhile.
    Raises UserError `file_missing`.
    """
    from modelzoo.propagation import Propagator

    outcome = Outcome(version.digest)
    first = _current(track, start)
    if first is None:
        return outcome.as_json()
    predictor = predictor_for(version)
    propagator = Propagator(predictor)
    for mask in _accepted(track, start):
        propagator.keep(_view(mask.image, version), rle.decode(mask.segmentation))
    ways = [_frames(track, start, step, min(frames or MOST_FRAMES, MOST_FRAMES)) for step in STEPS[direction]]
    walk = Walk(ctx, track, first.serial, version, propagator, outcome, sum(map(len, ways)))
    here = _view(start, version)
    for way in ways:
        propagator.begin(here, rle.decode(first.segmentation))
        walk.along(way)
    return outcome.as_json()


@dataclass
class Walk:
    """Frame after frame with one propagator; `start` is the mask's serial, `total` frames lie ahead at the most."""

    ctx: JobContext
    track: Track
    start: int
    version: ModelVersion
    propagator: Propagator
    outcome: Outcome
    total: int

    def along(self, way: list[int]) -> None:
        """Do the frames with these ids, in order, until one that people have masked, or the track is gone."""
        for image_id in way:
            self.ctx.progress(self.outcome.frames / self.total, f"Frame {self.outcome.frames + 1} of {self.total}")
            image = Image.objects.select_related("dataset").filter(pk=image_id).first()
            if image is None:
                continue
            try:
                done = not _is_said(self.track, image) and self._done(image)
            except UserError:
                if Image.objects.filter(pk=image_id).exists():
                    raise
                continue  # deleted meanwhile
            if not done:
                self.outcome.stopped_at.append(int(image.frame_number or 0))
                return
            self.outcome.frames += 1

    def _done(self, image: Image) -> bool:
        """Whether the frame has what this job has to say of it; False where somebody else was first."""
        made = _made_by(self.ctx.job, self.track, image, self.start)
        view = _view(image, self.version)
        if made is not None:
            if made.is_current:
                self.propagator.recall(view, rle.decode(made.segmentation), made.predicted_iou or 0.0)
            self.outcome.masks += 1
            return True
        found = self.propagator.step(view)
        try:
            with self.ctx.fenced():
                # Locked, and read anew: it may have been given a name since the last frame, or have ended.
                track = Track.objects.select_for_update().filter(pk=self.track.pk).first()
                if track is None:
                    return False
                self.track = track
                return self._stored(image, found)
        except (Conflict, IntegrityError):
            if _is_said(self.track, image) or not Track.objects.filter(pk=self.track.pk).exists():
                return False
            raise

    def _stored(self, image: Image, found: Followed) -> bool:
        """Write a frame's mask, or that there is none; False where an accepted one stands."""
        if tasks_of_others(image=image, user=self.ctx.job.created_by).exists():
            self.outcome.held.append(int(image.frame_number or 0))
            return True
        if not found.seen:
            self.outcome.absent.append(int(image.frame_number or 0))
            # An earlier proposal: the thing is not seen on this frame.
            proposals_discard(masks=Mask.objects.filter(track=self.track, image=image))
            return not _is_said(self.track, image)
        record = {
            "segmentation": rle.encode(found.mask),
            "predicted_iou": round(found.confidence, 4),
            "prompts": found.prompts.as_json(),
        }
        stored = track_propose(track=self.track, image=image, record=record, model=self.version.digest)
        self.outcome.masks += stored is not None
        return stored is not None


def _current(track: Track, image: Image) -> Mask | None:
    return Mask.objects.filter(track=track, image=image, status__in=Mask.CURRENT).first()


def _is_said(track: Track, image: Image) -> bool:
    """Whether people have said where it is on this frame."""
    return Mask.objects.filter(track=track, image=image, status=Mask.Status.ACCEPTED).exists()


def _made_by(job: Job, track: Track, image: Image, start: int) -> Mask | None:
    """The machine's mask of this frame that was stored since the job was asked for: only one job follows a track.

    And since the start's mask of today: a job that is tried again later would take what others made of an earlier one.
    """
    machine = Mask.objects.filter(track=track, image=image, source=Mask.Source.MODEL, created_by=None)
    return machine.filter(created_at__gte=job.created_at, serial__gt=start).order_by("-serial").first()


def _accepted(track: Track, start: Image) -> Iterator[Mask]:
    """Accepted masks of the track on other frames, the nearest to the start first."""
    rows = Mask.objects.filter(track=track, status=Mask.Status.ACCEPTED).exclude(image=start)
    numbers = list(rows.values_list("pk", "image__frame_number"))
    here = start.frame_number or 0
    nearest = sorted(numbers, key=lambda row: abs((row[1] or 0) - here))[:REMEMBERED]
    found = rows.select_related("image__dataset").in_bulk([pk for pk, _ in nearest])
    yield from (found[pk] for pk, _ in nearest if pk in found)


def _frames(track: Track, start: Image, step: int, limit: int) -> list[int]:
    """Ids of the next frames one way."""
    frames = Image.objects.filter(video=track.video_id)
    ahead = (
        frames.filter(frame_number__gt=start.frame_number).order_by("frame_number")
        if step > 0
        else frames.filter(frame_number__lt=start.frame_number).order_by("-frame_number")
    )
    return list(ahead.values_list("pk", flat=True)[:limit])


def _view(image: Image, version: ModelVersion) -> View:
    """A frame as the propagator sees it, encoded now if it was not before. Raises UserError if its file is gone."""
    from modelzoo.propagation import View

    try:
        return View(image_maps(image, version), read_pixels(image))
    except FileNotFoundError as error:
        raise UserError("file_missing", f"The file of {image.file_name} is gone.") from error
