"""What a frame of video takes people: frames masked by hand beside frames on which the machine followed the object."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q, Sum

from annotation.counts import figure
from annotation.models import Mask


@figure("frames")
def frame_times(dataset_id: int) -> dict[str, list[float]]:
    """{"by_hand", "followed"}: active seconds of each frame with accepted masks of tracks, sorted.

    The seconds are those of all masks of tracks that people saved there, corrections included. A frame is followed if
    the machine proposed the mask of a track on it, whatever became of it. Frames by hand without any time come from
    scripts and are left out.
    """
    tracked = Mask.objects.filter(track__video__dataset=dataset_id)
    followed = set(tracked.filter(source=Mask.Source.MODEL, created_by=None).values_list("image", flat=True))
    people = tracked.filter(created_by__isnull=False).exclude(source=Mask.Source.IMPORTED).order_by()
    accepted = Count("pk", filter=Q(status=Mask.Status.ACCEPTED))
    frames = people.values_list("image").annotate(seconds=Sum("seconds"), accepted=accepted).filter(accepted__gt=0)
    times: dict[str, list[float]] = {"by_hand": [], "followed": []}
    for image, seconds, _ in frames:
        if image in followed:
            times["followed"].append(seconds)
        elif seconds > 0:
            times["by_hand"].append(seconds)
    return {name: sorted(values) for name, values in times.items()}


def median(values: list[float], fewest: int) -> dict[str, Any]:
    """Median of sorted values with a 95 % interval from the order of the values; null where there are too few."""
    of = len(values)
    if of < fewest:
        return {"value": None, "low": None, "high": None, "of": of}
    half = 1.96 * of**0.5 / 2
    low, high = max(0, int(of / 2 - half)), min(of - 1, int(of / 2 + half))
    return {"value": (values[(of - 1) // 2] + values[of // 2]) / 2, "low": values[low], "high": values[high], "of": of}
