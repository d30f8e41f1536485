"""The proof page: what work took and what came of it, over time and by person, stage and model version.

Figures with fewer than `FEWEST` cases are null: too few to say. Means carry a 95 % interval by the normal distribution,
shares Wilson's, held-out quality a bootstrap over images. Published reference: 34 s per mask at the start of the SAM
paper's first stage and 14 s at its end (Kirillov et al. 2023, section 4).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from datetime import date, timedelta
from typing import Any

import numpy as np
from django.db.models import Count, Sum
from django.db.models.functions import TruncDate

from annotation.counts import figure
from annotation.intervals import of_mean, wilson
from annotation.models import Dataset, Mask, Stage, Task
from engine.frame_time import frame_times, median
from engine.gate import Row, after, told
from engine.models import Evaluation, ModelVersion
from engine.paired import Resampling, drawn_together, place_of
from engine.tally import SUMS, work_of

FEWEST = 10
DAYS, WEEKS = 31, 26  # so long by day, so long by week, then by month
VERSIONS = 30
RESAMPLES = 500
MOST_KNOWN = 512
QUALITY: dict[str, Callable[[Row], float]] = {
    "miou_1": after(1),
    "miou_3": after(3),
    "miou_box": told("iou_box"),
}


def proof_of(dataset: Dataset) -> dict[str, Any]:
    """Everything but cost, JSON-able. `pending` counts masks that a job has still to count."""
    rows, pending = work_of(dataset.pk)
    counted = counted_work(dataset.pk)
    _add_dismissed(rows, counted["dismissed"])
    step = _step([row["day"] for row in rows])
    return {
        "pending": pending,
        "fewest": FEWEST,
        "step": step,
        "total": figures(rows),
        "over_time": _grouped(rows, lambda row: _start(row["day"], step)),
        "by_author": _named(_grouped(rows, lambda row: row["author"]), _user_names),
        "by_stage": _grouped(rows, lambda row: row["stage"]),
        "by_model": _named(_grouped([row for row in rows if row["model"]], lambda row: row["model"]), _model_names),
        "images": _images(counted["done"], rows, step),
        "frames": _frames(dataset),
        "quality": quality_of(dataset),
        "hours": counted["hours"],
    }


def cost_of(dataset: Dataset, proof: dict[str, Any]) -> float | None:
    """What 1,000 masks that people made or kept cost, all their work counted; None without a rate or enough."""
    masks = proof["total"]["masks"] + proof["total"]["kept"]["hits"]
    if dataset.hourly_rate is None or masks < FEWEST:
        return None
    return float(sum(proof["hours"].values()) * dataset.hourly_rate / masks * 1000)


def figures(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The figures of some sums."""
    total = dict.fromkeys(SUMS, 0.0)
    for row in rows:
        for name in SUMS:
            total[name] += row[name]
    return {
        "masks": int(total["masks"]),
        "corrections": int(total["corrections"]),
        "seconds": _mean(total["seconds"], total["seconds_squared"], int(total["timed"])),
        "prompts": _mean(total["prompts"], total["prompts_squared"], int(total["prompted"])),
        "one_click": _share(int(total["one_click"]), int(total["prompted"])),
        "kept": _share(int(total["kept"]), int(total["decided"])),
    }


def _too_few(of: int) -> dict[str, Any]:
    return {"value": None, "low": None, "high": None, "of": of}


def _mean(total: float, squares: float, of: int) -> dict[str, Any]:
    if of < FEWEST:
        return _too_few(of)
    low, high = of_mean(total, squares, of)
    return {"value": total / of, "low": max(0.0, low), "high": high, "of": of}


def _share(hits: int, of: int) -> dict[str, Any]:
    if of < FEWEST:
        return {**_too_few(of), "hits": hits}
    low, high = wilson(hits, of)
    return {"value": hits / of, "low": low, "high": high, "of": of, "hits": hits}


def _grouped(rows: Iterable[dict[str, Any]], by: Callable[[dict[str, Any]], Hashable]) -> list[dict[str, Any]]:
    groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[by(row)].append(row)
    return [{"key": key, **figures(groups[key])} for key in sorted(groups, key=lambda key: (key is None, str(key)))]


def _named(groups: list[dict[str, Any]], names_of: Callable[[list[Any]], dict[Any, str]]) -> list[dict[str, Any]]:
    names = names_of([group["key"] for group in groups])
    return [{**group, "name": names.get(group["key"], ""), "key": str(group["key"])} for group in groups]


def _user_names(keys: list[Any]) -> dict[Any, str]:
    from django.contrib.auth import get_user_model

    users = get_user_model().objects.filter(pk__in=[key for key in keys if key is not None])
    return {user.pk: user.get_username() for user in users}


def _model_names(keys: list[Any]) -> dict[Any, str]:
    return dict(ModelVersion.objects.filter(digest__in=keys).order_by("-pk").values_list("digest", "name"))


@figure("proof")
def counted_work(dataset_id: int) -> dict[str, Any]:
    """What no tally holds, JSON-able: prefilled masks that people deleted [[day, author, stage, model, masks]], images
    submitted [[day, images]], and {kind of work: active hours}."""
    deleted = Mask.objects.filter(
        image__dataset=dataset_id,
        source=Mask.Source.MODEL,
        created_by=None,
        status=Mask.Status.DELETED,
        status_changed_by__isnull=False,
    ).exclude(stage=Stage.FULLY_AUTOMATIC)  # nobody decides on those that are left as they are
    key = ("day", "status_changed_by", "stage", "model")
    dismissed = deleted.order_by().annotate(day=TruncDate("status_changed_at")).values_list(*key)
    done = Task.objects.filter(image__dataset=dataset_id, kind=Task.Kind.ANNOTATE, submitted_at__isnull=False)
    by_day = done.order_by().values_list(TruncDate("submitted_at")).annotate(n=Count("pk"))
    tasks = Task.objects.filter(image__dataset=dataset_id, seconds__gt=0).order_by()
    return {
        "dismissed": [[row[0].isoformat(), *row[1:]] for row in dismissed.annotate(n=Count("pk"))],
        "done": [[day.isoformat(), n] for day, n in by_day],
        "hours": {row["kind"]: row["total"] / 3600 for row in tasks.values("kind").annotate(total=Sum("seconds"))},
    }


def _add_dismissed(rows: list[dict[str, Any]], dismissed: list[list[Any]]) -> None:
    """Prefilled masks that people deleted were decided, too."""
    for day, author, stage, model, masks in dismissed:
        sums = dict.fromkeys(SUMS, 0) | {"decided": masks}
        rows.append({"day": date.fromisoformat(day), "author": author, "stage": stage, "model": model} | sums)


def _step(days: list[date]) -> str:
    """How time is divided: the longer the work, the coarser."""
    span = (max(days) - min(days)).days if days else 0
    if span <= DAYS:
        return "day"
    return "week" if span <= 7 * WEEKS else "month"


def _start(day: date, step: str) -> str:
    """First day of the step that holds a day, ISO."""
    if step == "week":
        day -= timedelta(days=day.weekday())
    elif step == "month":
        day = day.replace(day=1)
    return day.isoformat()


def _images(done: list[list[Any]], rows: list[dict[str, Any]], step: str) -> dict[str, Any]:
    """Images that people finished, and masks they made or kept on each, over all and over time."""
    images: dict[str, int] = defaultdict(int)
    masks: dict[str, int] = defaultdict(int)
    for day, number in done:
        images[_start(date.fromisoformat(day), step)] += number
    for sums in rows:
        masks[_start(sums["day"], step)] += int(sums["masks"] + sums["kept"])
    total = sum(images.values())
    return {
        "done": total,
        "masks_per_image": sum(masks.values()) / total if total else None,
        "over_time": [{"key": key, "images": images[key], "masks": masks[key]} for key in sorted(images)],
    }


def _frames(dataset: Dataset) -> dict[str, Any] | None:
    """What a frame takes, by hand and where the object was followed; None without videos."""
    if not dataset.videos.exists():
        return None
    return {name: median(values, FEWEST) for name, values in frame_times(dataset.pk).items()}


def quality_of(dataset: Dataset) -> list[dict[str, Any]]:
    """Held-out quality of the newest versions that were judged on this dataset, oldest first, each as last judged."""
    judged = Evaluation.objects.filter(run__dataset=dataset).order_by("-pk").values_list("pk", "version")
    newest: dict[int, int] = {}
    for pk, version in judged:
        if version in newest or len(newest) < VERSIONS:
            newest.setdefault(version, pk)
    judged_last = Evaluation.objects.filter(pk__in=newest.values()).select_related("version").defer("rows")
    rows = list(judged_last.order_by("version__created_at", "pk"))
    measured = _measured(rows)
    return [
        {
            "digest": row.version.digest,
            "name": row.version.name,
            "state": row.version.state,
            "made_at": row.version.created_at,
            "judged_at": row.created_at,
            "images": row.images,
            **measured[row.pk],
        }
        for row in rows
    ]


_known: dict[tuple[int, Any], dict[str, Any]] = {}  # an evaluation never changes, and resampling takes its time


def _measured(evaluations: list[Evaluation]) -> dict[int, dict[str, Any]]:
    """By evaluation: {"masks", figure -> value with its interval}; two queries for all that are not known yet."""
    keys = {row.pk: (row.pk, row.created_at) for row in evaluations}
    missing = [pk for pk, key in keys.items() if key not in _known]
    tables = dict(Evaluation.objects.filter(pk__in=missing).values_list("pk", "rows")) if missing else {}
    serials = {int(row["id"]) for table in tables.values() for row in table if str(row["id"]).isdigit()}
    lies = Mask.objects.filter(pk__in=serials).values_list("pk", "image__video", "image")
    places = {str(pk): place_of(video, image) for pk, video, image in lies}
    if len(_known) > MOST_KNOWN:
        _known.clear()
    for pk, table in tables.items():
        where = [places.get(str(row["id"])) or place_of(None, f"of mask {row['id']}") for row in table]
        _known[keys[pk]] = _intervals(table, where)
    return {pk: _known[key] for pk, key in keys.items()}


def _intervals(rows: list[dict[str, Any]], places: list[tuple[str, str]]) -> dict[str, Any]:
    """The figures of one evaluation; masks of one video, or one image, are drawn together."""
    values: dict[str, Any] = {"masks": len(rows)}
    groups = drawn_together(places)
    for name, read in QUALITY.items():
        if len(rows) < FEWEST:
            values[name] = _too_few(len(rows))
            continue
        numbers = np.array([read(row) for row in rows], np.float64)
        low, high = Resampling(groups, len(rows), 0.95, RESAMPLES, 0).of_mean(numbers)
        values[name] = {"value": float(numbers.mean()), "low": low, "high": high, "of": len(rows)}
    return values
