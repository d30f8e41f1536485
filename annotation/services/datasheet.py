"""A datasheet of a dataset: the headings of "Datasheets for Datasets" (Gebru et al., 2021) with what is known here.

What only people can know is marked so, to be filled in by whoever publishes the dataset.
"""

from __future__ import annotations

from typing import Any

from annotation import ports
from annotation.models import Dataset, Image, Mask, Stage, Statistics

ASK = "_For the people who publish this dataset to answer._"
CONSENTS = dict(Image.Consent.choices)
SOURCES = dict(Mask.Source.choices)
STAGES = dict(Stage.choices)


def datasheet(*, dataset: Dataset) -> str:
    """The datasheet in Markdown. Figures are those of the last count; without one it says so."""
    kept = Statistics.objects.filter(dataset=dataset).first()
    figures = kept.figures if kept else {}
    counted = f"{kept.counted_at:%d %B %Y}" if kept else ""
    parts = [f"# Datasheet: {_plain(dataset.name)}", _plain(dataset.description) or ASK]
    parts.append(f"Figures were counted on {counted}." if kept else "Figures have not been counted yet.")
    sections = {
        "Motivation": _motivation(dataset),
        "Composition": _composition(dataset, figures),
        "Collection process": _collection(figures),
        "Preprocessing, cleaning, labeling": _labeling(dataset, figures),
        "Uses": _uses(),
        "Distribution": _distribution(dataset, figures),
        "Maintenance": _maintenance(dataset),
    }
    for heading, answers in sections.items():
        parts.append(f"## {heading}")
        parts += [f"**{question}**\n\n{answer}" for question, answer in answers.items()]
    return "\n\n".join(parts) + "\n"


def _motivation(dataset: Dataset) -> dict[str, str]:
    maker = dataset.created_by.get_full_name() or dataset.created_by.get_username() if dataset.created_by else ASK
    return {
        "For what purpose was the dataset created?": ASK,
        "Who created the dataset?": f"{_plain(maker)}, on {dataset.created_at:%d %B %Y}.",
        "Who funded the creation?": ASK,
    }


def _composition(dataset: Dataset, figures: dict[str, Any]) -> dict[str, str]:
    what = "Images with segmentation masks, one object or part of an object each."
    answers = {"What do the instances represent?": what}
    if not figures:
        return answers
    splits = ", ".join(f"{row['count']} {row['name'].replace('_', ' ')}" for row in figures["splits"])
    answers |= {
        "How many instances are there?": f"{figures['images']} images with {figures['masks']} masks.",
        "How many masks does an image have?": _table("masks", "images", figures["masks_per_image"], "images"),
        "How large are the images?": _table("megapixels", "images", figures["megapixels"], "images"),
        "Is there a label?": _table("category", "masks", _unnamed(figures["categories"], "no category"), "count"),
        "Are there recommended splits?": f"{splits}; fixed for every image by its digest.",
        "Does the dataset identify people?": _consents(figures),
    }
    return answers


def _consents(figures: dict[str, Any]) -> str:
    rows = [{"name": CONSENTS.get(row["name"], row["name"]), "count": row["count"]} for row in figures["consents"]]
    return _table("consent of people shown", "images", rows, "count")


def _collection(figures: dict[str, Any]) -> dict[str, str]:
    sources = figures.get("image_sources", [])
    return {
        "How was the data acquired?": _table("source", "images", _unnamed(sources, "not stated"), "count")
        if sources
        else ASK,
        "Were people told, and did they consent?": "See the table of consent above." if figures else ASK,
        "Was there an ethical review?": ASK,
    }


def _labeling(dataset: Dataset, figures: dict[str, Any]) -> dict[str, str]:
    answers = {
        "Was the data preprocessed?": "Images are upright, 8 bits per channel, RGB, without EXIF; deep values "
        "are mapped as stored with each image."
        + (" Faces were blurred when images came in." if dataset.blur_faces else ""),
        "Is the raw data kept?": "No: originals of blurred images are not kept."
        if dataset.blur_faces
        else "Yes, on the server that made this dataset; they are not part of exports.",
    }
    if figures:
        rows = [{"name": SOURCES.get(row["name"], row["name"]), "count": row["count"]} for row in figures["sources"]]
        stages = [{"name": STAGES.get(row["name"], row["name"]), "count": row["count"]} for row in figures["stages"]]
        answers["How were masks made?"] = _table("made by", "masks", rows, "count")
        answers["In which stage?"] = _table("stage", "masks", stages, "count")
    quality = ports.quality_of(dataset.pk)
    answers["How good are the masks?"] = _quality(quality) or "No audit has been made."
    answers["Which software was used?"] = "Anymask, a segmentation data engine."
    return answers


def _quality(quality: dict[str, Any]) -> str:
    rows = [
        f"- {key.replace('_', ' ')}: {value}" for key, value in quality.items() if not isinstance(value, (dict, list))
    ]
    for key, value in quality.items():
        if isinstance(value, dict):
            inner = ", ".join(
                f"{name.replace('_', ' ')} {one}" for name, one in value.items() if not isinstance(one, (dict, list))
            )
            rows.append(f"- {key.replace('_', ' ')}: {inner}")
    return "\n".join(rows)


def _uses() -> dict[str, str]:
    return {
        "Has the dataset been used already?": "Models of this data engine may have been trained on it.",
        "What should it not be used for?": ASK,
    }


def _distribution(dataset: Dataset, figures: dict[str, Any]) -> dict[str, str]:
    licences = _unnamed(figures.get("licences", []), "not stated")
    return {
        "Under which licence?": _plain(dataset.licence) or "Not stated for the dataset as a whole.",
        "And the images?": _table("licence", "images", licences, "count") if licences else "Not counted yet.",
    }


def _maintenance(dataset: Dataset) -> dict[str, str]:
    removed = dataset.tombstones.count()
    said = f"{removed} images were removed on request." if removed else "No image was removed on request so far."
    return {
        "Who maintains the dataset?": ASK,
        "How can people have a picture removed?": f"A lead removes it for good, with all made from it. {said}",
    }


def _unnamed(rows: list[dict[str, Any]], instead: str) -> list[dict[str, Any]]:
    return [{**row, "name": row["name"] or instead} for row in rows]


def _table(first: str, second: str, rows: list[dict[str, Any]], key: str) -> str:
    lines = [f"| {first} | {second} |", "|---|---:|"]
    return "\n".join([*lines, *(f"| {_plain(row['name'])} | {row[key]} |" for row in rows)])


def _plain(text: str) -> str:
    """User text that cannot become markup: signs of Markdown and HTML are taken as text."""
    signs = {sign: f"\\{sign}" for sign in "\\`*_{}[]<>#|!"}
    return "".join(signs.get(sign, sign) for sign in text.strip())
