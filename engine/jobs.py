"""The engine's background functions, imported by workers alone: each fetches by id and calls a service."""

from __future__ import annotations

from typing import Any

from annotation.errors import Missing, UserError
from annotation.jobkit import JobContext, job, periodic, scheduled
from annotation.models import Dataset, Image, Track
from engine import (
    audit,
    boxes,
    disagreement,
    embeddings,
    eviction,
    exemplars,
    forgetting,
    propagation,
    retraining,
    schedules,
    shadow,
    side_by_side,
    similarity,
    tally,
    uncertainty,
)
from engine import proof as _proof  # noqa: F401  the worker counts its figures (annotation.counts)
from engine.pipeline import run_execute
from engine.serving import version_by_digest
from engine.stages import moves, running

CONSIDER_SECONDS = 60


@job(embeddings.SOON.name)
def embed_image(ctx: JobContext, *, image: int, digest: str) -> dict[str, Any]:
    """Encode one image that somebody waits for."""
    return _embed(ctx, image, digest)


@job(embeddings.LATER.name)
def embed_upload(ctx: JobContext, *, image: int, digest: str) -> dict[str, Any]:
    """Encode one image of an upload, unless there is no room: then it is encoded when somebody opens it."""
    if not eviction.has_room():
        return {"skipped": "There is no room for images that are prepared ahead."}
    return _embed(ctx, image, digest)


def _embed(ctx: JobContext, image_id: int, digest: str) -> dict[str, Any]:
    image = Image.objects.filter(pk=image_id).first()
    if image is None:
        return {"skipped": "The image was deleted."}
    try:
        row = embeddings.image_embed(image=image, version=version_by_digest(digest))
    except (FileNotFoundError, Missing) as error:
        if not Image.objects.filter(pk=image_id).exists():
            return {"skipped": "The image was deleted."}
        if isinstance(error, Missing):
            raise
        raise UserError("file_missing", f"The file of {image.file_name} is gone.") from error
    return {"bytes": row.byte_size}


@job(embeddings.REBUILD.name)
def rebuild_embeddings(ctx: JobContext, *, dataset: int) -> dict[str, Any]:
    """Queue the images of live tasks for the version that serves now."""
    return {"queued": embeddings.embeddings_rebuild(dataset_id=dataset, on_image=ctx.check_cancelled)}


@job(eviction.EVICT.name)
def evict_embeddings(ctx: JobContext) -> dict[str, Any]:
    """Make room among the embeddings."""
    return eviction.embeddings_evict(each=ctx.check_cancelled)


@job(boxes.PROMPT.name)
def prompt_boxes(ctx: JobContext, *, image: int) -> dict[str, Any]:
    """Make masks of the boxes that came with a picture."""
    row = Image.objects.select_related("dataset").filter(pk=image).first()
    return boxes.boxes_answer(image=row) if row is not None else {}


@job(forgetting.FORGET.name)
def forget_image(ctx: JobContext, *, dataset: int, image: int, sha256: str) -> dict[str, Any]:
    """Remove what was made of a picture that was removed for good."""
    row = Dataset.objects.filter(pk=dataset).first()
    return dict(forgetting.image_forget(dataset=row, image_id=image, sha256=sha256)) if row else {}


@job(forgetting.RENEW.name)
def renew_image(ctx: JobContext, *, image: int) -> None:
    """Encode a picture anew whose pixels are shown otherwise."""
    row = Image.objects.select_related("dataset").filter(pk=image).first()
    if row is not None:
        forgetting.image_renew(image=row)


@job(retraining.TRAIN.name)
def train_model(ctx: JobContext, *, run: int) -> dict[str, Any]:
    """Do a training run, or what an earlier attempt left of it."""
    return run_execute(run_id=run, ctx=ctx)


@job(running.RUN.name)
def run_stage(ctx: JobContext, *, dataset: int, stage: str, every: bool = True) -> dict[str, Any]:
    """Do the machine's part of a stage on a whole dataset, or on the images that wait for it."""
    return running.stage_run(dataset_id=dataset, stage=stage, progress=ctx.progress, every=every)


@scheduled(schedules.TASK)
def retrain_on_time(*, dataset: int) -> None:
    """A dataset's own hour has come."""
    retraining.dataset_retrain_on_time(dataset_id=dataset)


@job(uncertainty.MEASURE.name)
def measure_uncertainty(ctx: JobContext, *, dataset: int, digest: str) -> dict[str, Any]:
    """How unsure the model is of the images in the queue."""
    version = version_by_digest(digest)
    return uncertainty.images_measure(dataset_id=dataset, version=version, progress=ctx.progress)


@job(shadow.SHADOW.name)
def shadow_compare(ctx: JobContext, *, comparison: int) -> dict[str, Any]:
    """Replay people's prompts through two versions."""
    return shadow.shadow_run(comparison_id=comparison, progress=ctx.progress)


@job(side_by_side.COMPARE.name)
def compare_versions(ctx: JobContext, *, comparison: int) -> dict[str, Any]:
    """The same prompts to two versions."""
    return side_by_side.comparison_run(comparison_id=comparison, progress=ctx.progress)


@job(similarity.INDEX.name)
def index_masks(ctx: JobContext, *, dataset: int, digest: str) -> dict[str, int]:
    """Describe masks as the model sees them."""
    return similarity.index_build(ctx=ctx, dataset_id=dataset, version=version_by_digest(digest))


@job(propagation.PROPAGATE.name)
def propagate_track(
    ctx: JobContext, *, track: str, image: int, direction: str, frames: int | None, digest: str
) -> dict[str, Any]:
    """Follow a track through its video."""
    row = Track.objects.select_related("video").filter(uuid=track).first()
    start = Image.objects.select_related("dataset").filter(pk=image).first()
    if row is None or start is None:
        return {"skipped": "The track or its frame was deleted."}
    return propagation.track_propagate(
        ctx=ctx, track=row, start=start, direction=direction, frames=frames, version=version_by_digest(digest)
    )


@job(exemplars.FIND.name)
def find_alike(ctx: JobContext, *, image: int, what: dict[str, Any], digest: str) -> dict[str, Any]:
    """Everything like these on an image that somebody looks at."""
    row = Image.objects.filter(pk=image).first()
    if row is None:
        raise Missing("image_gone", "The image was deleted meanwhile.")
    version = version_by_digest(digest)
    return exemplars.alike_find(image=row, what=what, version=version, progress=ctx.progress)


@job(exemplars.PROPOSE.name)
def propose_alike(ctx: JobContext, *, dataset: int, what: dict[str, Any], threshold: float) -> dict[str, Any]:
    """Everything like these on the images that wait."""
    return exemplars.alike_propose(ctx=ctx, dataset_id=dataset, what=what, threshold=threshold)


@job(audit.MEASURE.name)
def measure_audit(ctx: JobContext, *, task: int) -> dict[str, Any]:
    """What became of the masks of an audited image."""
    return audit.audit_measure(task_id=task)


@job(disagreement.MEASURE.name)
def measure_disagreement(ctx: JobContext, *, task: int) -> dict[str, Any]:
    """How far the model is from the masks of one review."""
    return disagreement.disagreement_measure(task_id=task)


@periodic(seconds=CONSIDER_SECONDS)
def consider_disagreements() -> None:
    """Reviews whose picture was not prepared yet."""
    disagreement.disagreements_consider()


@periodic(seconds=CONSIDER_SECONDS)
def count_work() -> None:
    """Sum up what people's masks took, for the proof page."""
    tally.work_count()


@periodic(seconds=CONSIDER_SECONDS)
def consider_indexes() -> None:
    """Describe new masks of datasets that are searched, and all for a version that serves since."""
    similarity.indexes_consider()


@periodic(seconds=10 * CONSIDER_SECONDS)
def consider_boxes() -> None:
    """Boxes from outside that no job has met."""
    boxes.boxes_consider()


@periodic(seconds=10 * CONSIDER_SECONDS)
def consider_eviction() -> None:
    """Keep the embeddings within their room."""
    eviction.eviction_consider()


@periodic(seconds=CONSIDER_SECONDS)
def consider_retraining() -> None:
    """Close what was abandoned, start what is due."""
    retraining.datasets_consider()


@periodic(seconds=CONSIDER_SECONDS)
def consider_stages() -> None:
    """Move datasets whose lead's rule is met; do what images wait for."""
    moves.datasets_consider()


@periodic(seconds=CONSIDER_SECONDS)
def consider_uncertainty() -> None:
    """Have the model look at the images of queues that are ordered by how unsure it is."""
    uncertainty.datasets_consider()
