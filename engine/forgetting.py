"""What the engine made of a picture goes when that is removed for good, and is made anew when its pixels change."""

from __future__ import annotations

from annotation import storage
from annotation.jobkit import declare
from annotation.models import Dataset, Image, Job
from engine.embeddings import KINDS, embedding_request
from engine.exemplars import FIND as FIND_ALIKE
from engine.mask_vectors import index_renew, masks_forget
from engine.models import Embedding, SnapshotImage

FORGET = declare("forget_image", queue="interactive", title="Remove what was made of an image")
RENEW = declare("renew_image", queue="interactive", title="Prepare a changed image")


def image_forget(*, dataset: Dataset, image_id: int, sha256: str) -> dict[str, int]:
    """Remove training sets that held the picture, jobs that carry its name and vectors of its masks; what was removed.

    Rows of training sets stay, since models descend from them; they name the picture by its digest alone. Embeddings
    have gone with the image's row.
    """
    held = SnapshotImage.objects.filter(sha256=sha256, snapshot__dataset=dataset).select_related("snapshot")
    paths = {row.snapshot.path for row in held}
    for path in paths:
        storage.remove(path)
    jobs, _ = Job.objects.filter(
        kind__in=[*KINDS, FIND_ALIKE.name], dataset=dataset, dedupe_key__startswith=f"{image_id}:", state__in=Job.ENDED
    ).delete()
    return {"training_sets": len(paths), "jobs": jobs, "vectors": masks_forget(dataset_id=dataset.pk)}


def image_renew(*, image: Image) -> None:
    """The picture is shown otherwise: encode it anew, now."""
    for row in Embedding.objects.filter(image=image):
        row.delete()  # one by one: the file goes with its last row
    embedding_request(image=image, soon=True)
    index_renew(dataset_id=image.dataset_id)
