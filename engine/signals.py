"""Facts the engine tells, ids only, sent on commit."""

from __future__ import annotations

from django.dispatch import Signal

serving_changed = Signal()  # dataset_id, version_id: annotators of this dataset now work with another version
