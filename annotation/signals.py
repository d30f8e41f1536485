"""The facts that annotation announces. Ids only, sent on commit; a receiver may only queue a job.

image_uploaded(image_id)     a picture is stored and upright
mask_saved(mask_id)          an accepted mask was saved; mask_id is Mask.serial
mask_deleted(mask_id)        a person put a mask into the bin
task_claimed(task_id)        somebody starts on an image
task_submitted(task_id)      somebody is done with an image
image_changed(image_id)      its pixels are shown otherwise; coordinates stay
image_removed(dataset_id, image_id, sha256)  a picture is gone for good, on request: what was made of it goes too
boxes_added(image_id)        boxes from outside wait for the model's masks
review_opened(task_id)       a reviewer is asked to look at an image
"""

from __future__ import annotations

from django.db import transaction
from django.dispatch import Signal

image_uploaded = Signal()
image_changed = Signal()
image_removed = Signal()
mask_saved = Signal()
mask_deleted = Signal()
task_claimed = Signal()
task_submitted = Signal()
review_opened = Signal()
boxes_added = Signal()


def send_on_commit(signal: Signal, **ids: int) -> None:
    """Announce a fact once the surrounding transaction has committed; a failing receiver is logged, not raised."""
    transaction.on_commit(lambda: signal.send_robust(sender=None, **ids), robust=True)
