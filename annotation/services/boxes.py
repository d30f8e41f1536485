"""Boxes from outside: kept as questions to the model, which makes a proposed mask of each."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.db import transaction

from annotation.models import BoxPrompt, Image
from annotation.signals import boxes_added, send_on_commit


def boxes_add(*, image: Image, boxes: list[dict[str, Any]]) -> int:
    """Keep boxes {bbox: [x, y, w, h] in image pixels, category, score}; how many are new. Twice is once."""
    rows: dict[str, BoxPrompt] = {}
    for box in boxes:
        told = json.dumps([box["bbox"], box.get("category", "")])
        digest = hashlib.sha256(told.encode()).hexdigest()
        category, score = box.get("category", ""), box.get("score")
        rows[digest] = BoxPrompt(image=image, bbox=box["bbox"], category=category, score=score, digest=digest)
    with transaction.atomic():
        known = set(image.box_prompts.filter(digest__in=list(rows)).values_list("digest", flat=True))
        new = [row for digest, row in rows.items() if digest not in known]
        BoxPrompt.objects.bulk_create(new, batch_size=200, ignore_conflicts=True)
        if new:
            send_on_commit(boxes_added, image_id=image.pk)
    return len(new)
