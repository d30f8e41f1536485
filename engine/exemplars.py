"""Everything like these: on one image while somebody waits, or proposed on every image that waits in the queue.

What is looked for are example masks of the dataset, or one of its categories: then accepted masks of it, beside masks
of other categories that it must not be taken for (the machine's part is `modelzoo.exemplars`); or what a text speaks
of (`engine.words`).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet

from annotation.errors import Missing, UserError
from annotation.jobkit import JobContext, declare, enqueue
from annotation.models import Dataset, Image, Job, Mask, Member, Stage, Task
from annotation.object_store import StoreAway
from annotation.services.masks import masks_add
from engine.embeddings import image_embed, image_maps
from engine.models import Embedding, ModelVersion, StageResult
from engine.serving import predictor_for, serving_version
from engine.similarity import vectors_of
from engine.stages.base import is_known, is_left_to_us, masks_known, settings_digest
from engine.words import Progress, Search, require_text_encoder, text_encoder, text_search

if TYPE_CHECKING:
    from modelzoo.exemplars import Concept

FIND = declare(
    "find_alike", queue="interactive", title="Find everything like this", time_limit=300, role=Member.Role.ANNOTATOR
)
PROPOSE = declare("propose_alike", queue="batch", title="Propose everything like this", lease=120)
RESULT = "exemplars"  # of StageResult: which images are done
MOST_EXAMPLES = 20
MOST_OTHERS = 30  # masks of other categories, or names of them, that tell what is sought from them
COVERED = 0.5  # IoU with a mask that is there, or that a person threw away, from which nothing is proposed


def sought(
    *, dataset: Dataset, examples: Sequence[uuid.UUID] = (), category: str = "", text: str = ""
) -> dict[str, Any]:
    """What is looked for, as jobs carry it: serials of masks, a category that accepted masks have, or free text.

    UserError nothing_sought or no_text_encoder, Missing mask_missing or unknown_category.
    """
    if [bool(examples), bool(category), bool(text)].count(True) != 1:
        raise UserError("nothing_sought", "Name example masks, a category or a text, one of them.")
    if text:
        require_text_encoder()
        return {"text": text}
    if category:
        if not named(dataset.pk).filter(category=category).exists():
            raise Missing("unknown_category", f"No accepted mask of this dataset is called {category[:100]!r} yet.")
        return {"category": category}
    masks = Mask.objects.filter(image__dataset=dataset, uuid__in=list(examples)).exclude(status=Mask.Status.DELETED)
    serials = sorted(masks.values_list("serial", flat=True))
    if len(serials) < len(set(examples)):
        raise Missing("mask_missing", "An example is no mask of this dataset: not saved yet, or deleted meanwhile.")
    return {"masks": serials}


def named(dataset_id: int) -> QuerySet[Mask]:
    """Accepted masks that have a category."""
    masks = Mask.objects.filter(image__dataset=dataset_id, status=Mask.Status.ACCEPTED, crowd=False)
    return masks.exclude(category="")


# --- On one image ------------------------------------------------------------------------------------------------


def alike_request(*, image: Image, what: dict[str, Any], by: Any) -> Job:
    """Queue the search on one image; the same search that is under way already if there is one."""
    version = serving_version(image.dataset_id)
    payload = {"image": image.pk, "what": what, "digest": version.digest}
    key = f"{image.pk}:{settings_digest(payload)}"
    return enqueue(FIND.name, payload, dataset=image.dataset, created_by=by, dedupe_key=key)


def alike_find(*, image: Image, what: dict[str, Any], version: ModelVersion, progress: Progress) -> dict[str, Any]:
    """Instances on one image with their scores, best first; nothing is saved. Workers only."""
    started = time.monotonic()
    found = search_for(image.dataset_id, what, version)(image, progress)
    seconds = round(time.monotonic() - started, 2)
    category = _category(image.dataset_id, what)
    return {"model": version.digest, "seconds": seconds, "category": category, "masks": found}


def search_for(dataset_id: int, what: dict[str, Any], version: ModelVersion) -> Search:
    """What finds it on an image. UserError examples_gone, or of `engine.words`. Workers only."""
    if "text" in what:
        return text_search(text=what["text"], others=_other_names(dataset_id, what["text"]), version=version)
    from modelzoo.exemplars import ExemplarFinder

    finder, concept = ExemplarFinder(predictor_for(version)), concept_of(dataset_id, what, version)
    return lambda image, progress: finder.find(image_maps(image, version), concept, progress)


def concept_of(dataset_id: int, what: dict[str, Any], version: ModelVersion) -> Concept:
    """What is looked for, as the version sees it. UserError examples_gone where no example is left. Workers only."""
    from modelzoo.exemplars import Concept, finest

    others: list[Mask] = []
    if "category" in what:
        examples = _spread(named(dataset_id).filter(category=what["category"]), version, MOST_EXAMPLES)
        others = _spread(named(dataset_id).exclude(category=what["category"]), version, MOST_OTHERS)
    else:
        examples = list(Mask.objects.filter(serial__in=what["masks"]).select_related("image"))
    known = vectors_of([*examples, *others], version)
    examples = [mask for mask in examples if mask.serial in known]
    if not examples:
        raise UserError("examples_gone", "The examples are gone, or their pictures are.")
    layout = Embedding.objects.filter(version=version).values_list("layout", flat=True).first()
    if layout is None:  # described for the moment only
        layout = image_embed(image=examples[0].image, version=version).layout
    _, part = finest([(entry["name"], entry["shape"]) for entry in layout])
    unlike = [known[mask.serial][part] for mask in others if mask.serial in known]
    return Concept.of(
        np.array([known[mask.serial][part] for mask in examples], np.float32),
        [mask.area for mask in examples],
        [max(mask.image.width, mask.image.height) for mask in examples],
        np.array(unlike, np.float32) if unlike else None,
    )


def _spread(masks: QuerySet[Mask], version: ModelVersion, most: int) -> list[Mask]:
    """Masks of as many images as there are, the newest first; those on images that are encoded before others."""
    ready = Exists(Embedding.objects.filter(image=OuterRef("image"), version=version))
    rows = masks.annotate(ready=ready).select_related("image").order_by("-ready", "-serial")[: most * most]
    by_image: dict[int, list[Mask]] = {}
    for mask in rows:
        by_image.setdefault(mask.image_id, []).append(mask)
    turns = ((turn, mask) for found in by_image.values() for turn, mask in enumerate(found))
    return [mask for _, mask in sorted(turns, key=lambda pair: pair[0])][:most]


# --- On every image that waits -----------------------------------------------------------------------------------


def alike_propose_request(*, dataset: Dataset, what: dict[str, Any], threshold: float, by: Any) -> Job:
    """Queue proposals on every image that waits for an annotator. One search of a kind at a time."""
    payload = {"dataset": dataset.pk, "what": what, "threshold": threshold}
    return enqueue(PROPOSE.name, payload, dataset=dataset, created_by=by, dedupe_key=settings_digest(payload))


def alike_propose(*, ctx: JobContext, dataset_id: int, what: dict[str, Any], threshold: float) -> dict[str, Any]:
    """Propose what is found from the threshold on; counts. Images that are done are not done again. Workers only."""
    version = serving_version(dataset_id)
    about = {"what": what, "threshold": threshold}
    digest = settings_digest({**about, "encoder": text_encoder().digest} if "text" in what else about)
    done = StageResult.objects.filter(image=OuterRef("pk"), stage=RESULT, version=version, settings_digest=digest)
    waiting = Task.objects.filter(image=OuterRef("pk"), kind=Task.Kind.ANNOTATE, state=Task.State.OPEN)
    images = Image.objects.filter(Exists(waiting), ~Exists(done), dataset=dataset_id)
    ids = list(images.order_by("pk").values_list("pk", flat=True))
    search = search_for(dataset_id, what, version) if ids else None
    masks, failed = 0, []
    for place, pk in enumerate(ids):
        image = images.filter(pk=pk).first()
        if image is None or search is None:  # deleted, or taken up meanwhile
            continue
        ctx.progress(place / len(ids), f"{image.file_name} ({place + 1} of {len(ids)})")
        started = time.monotonic()
        try:
            found = search(image, lambda _share: ctx.check_cancelled())
        except StoreAway:
            raise
        except (UserError, OSError) as error:
            failed.append({"image": pk, "message": str(error)[:200]})
            continue
        records = [record for record in found if record["score"] >= threshold]
        with ctx.fenced():
            masks += _write(image, records, what, version, digest, time.monotonic() - started)
    return {"model": version.digest, "images": len(ids), "masks": masks, "failed": failed[:100]}


def _write(
    image: Image,
    records: list[dict[str, Any]],
    what: dict[str, Any],
    version: ModelVersion,
    digest: str,
    seconds: float,
) -> int:
    """Proposals of one image and that it is done, at once; how many. None where people's masks or others stand.

    An image that somebody has taken up since it was searched is left alone, and is not done.

    Of the assisted stage, as masks from outside boxes: the semi-automatic stage takes back what it proposed itself.
    """
    category = _category(image.dataset_id, what)
    known = list(masks_known(image).values_list("segmentation", "bbox"))
    new = [{**one, "category": category} for one in records if not is_known(one, known, COVERED)]
    with transaction.atomic():
        if not is_left_to_us(image):
            return 0
        about = {"image": image, "stage": RESULT, "version": version, "settings_digest": digest}
        StageResult.objects.get_or_create(**about, defaults={"masks": len(new), "seconds": seconds})
        made = masks_add(
            image=image,
            records=new,
            stage=Stage.ASSISTED,
            source=Mask.Source.MODEL,
            status=Mask.Status.PROPOSED,
            model=version.digest,
        )
    return len(made)


def _category(dataset_id: int, what: dict[str, Any]) -> str:
    """What the found masks are called: the category asked for, the one that all examples have, or the text where it is
    a name already: whatever else it says is no label."""
    if "category" in what:
        return str(what["category"])
    if "text" in what:
        return named(dataset_id).filter(category__iexact=what["text"]).values_list("category", flat=True).first() or ""
    names = set(Mask.objects.filter(serial__in=what["masks"]).values_list("category", flat=True))
    return names.pop() if len(names) == 1 else ""


def _other_names(dataset_id: int, text: str) -> list[str]:
    """The dataset's other categories, the most used first."""
    names = named(dataset_id).exclude(category__iexact=text).values("category").annotate(masks=Count("pk"))
    return list(names.order_by("-masks", "category").values_list("category", flat=True)[:MOST_OTHERS])
