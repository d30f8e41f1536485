"""What masks look like to a model version, in blocks that are searched from end to end."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models


class MaskIndex(models.Model):
    """The masks of one dataset as one version sees them; there is none before somebody asks for it.

    Every mask with a serial up to ``upto`` was looked at; ``masks`` of them have a vector, ``total`` is the sum of the
    vectors (float64 little-endian). ``complete_at`` is when it first held every mask.
    """

    dataset = models.ForeignKey("annotation.Dataset", on_delete=models.CASCADE, related_name="mask_indexes")
    version = models.ForeignKey("engine.ModelVersion", on_delete=models.CASCADE, related_name="mask_indexes")
    upto = models.BigIntegerField(default=0)
    masks = models.PositiveIntegerField(default=0)
    total: Any = models.BinaryField(default=b"")
    complete_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dataset", "version"], name="engine_one_mask_index_per_version")
        ]

    def __str__(self) -> str:
        return f"masks of dataset {self.dataset_id} by version {self.version_id}"


class MaskVectors(models.Model):
    """One block of an index: ``serials`` of N masks (int64), ascending, and their ``vectors`` (float16 N x D).

    Both little-endian. A mask never changes, so neither does its vector; rows are added, and rewritten only when masks
    are removed for good.
    """

    index = models.ForeignKey(MaskIndex, on_delete=models.CASCADE, related_name="blocks")
    serials: Any = models.BinaryField()
    vectors: Any = models.BinaryField()

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"block {self.pk} of index {self.index_id}"
