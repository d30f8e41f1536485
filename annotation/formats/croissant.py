"""Croissant: the description of a dataset as JSON-LD, which loaders and search engines read (MLCommons, version 1.1).

It names the files with their SHA-256 and what each column of the two Parquet tables means, so that a program which
knows Croissant and nothing of Anymask reads images and masks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotation import storage

DOCUMENT = "croissant.json"
PICTURES = "images"
IMAGES = f"{PICTURES}/metadata.parquet"
MASKS = "masks.parquet"
MEDIA_TYPE = "application/x-parquet"  # as the specification and its readers call it
DATA_TYPES = {
    "bool": "sc:Boolean",
    "int32": "cr:Int32",
    "int64": "cr:Int64",
    "float64": "cr:Float64",
    "string": "sc:Text",
}
# The context that the specification gives for version 1.1.
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "annotation": "cr:annotation",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "excludes": "cr:excludes",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "readLines": "cr:readLines",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
    "unArchive": "cr:unArchive",
    "value": "cr:value",
}


@dataclass(frozen=True)
class Column:
    """A column of a table: `kind` is a key of DATA_TYPES, `references` a column of the table of images."""

    name: str
    kind: str
    about: str
    references: str = ""


def write(
    folder: Path, about: dict[str, Any], licences: Sequence[str], images: Sequence[Column], masks: Sequence[Column]
) -> None:
    """Describe a folder whose two tables are written. `about` is what the manifest says of the dataset."""
    document = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": about.get("dataset") or "Dataset",
        "description": "Images with segmentation masks, made with Anymask. datasheet.md tells the rest.",
        "license": [name for name in (about.get("licence"), *licences) if name] or ["not stated"],
        **_version(about),
        "distribution": [*(_file(folder, name) for name in (IMAGES, MASKS)), _pictures()],
        "recordSet": [_images(images), _record_set("masks", MASKS, "mask_id", masks)],
    }
    (folder / DOCUMENT).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _version(about: dict[str, Any]) -> dict[str, str]:
    """The frozen version, where it is one: its number, and the digest of what it holds."""
    frozen = about.get("version")
    return {"version": f"{frozen['number']}.0.0", "identifier": frozen["digest"]} if frozen else {}


def _file(folder: Path, name: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "encodingFormat": MEDIA_TYPE,
        "sha256": storage.sha256_of(folder / name),
    }


def _pictures() -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": "pictures",
        "name": "pictures",
        "encodingFormat": ["image/jpeg", "image/png"],
        "includes": [f"{PICTURES}/*.jpg", f"{PICTURES}/*.png"],
    }


def _images(columns: Sequence[Column]) -> dict[str, Any]:
    """The table of images, each with its picture: joined by the name of the file."""
    told = _record_set("images", IMAGES, "image_id", columns)
    name = next(field for field in told["field"] if field["@id"] == "images/file_name")
    name["references"] = {"fileSet": {"@id": "pictures"}, "extract": {"fileProperty": "filename"}}
    told["field"].append(
        {
            "@type": "cr:Field",
            "@id": "images/picture",
            "name": "picture",
            "description": "The picture: upright, 8-bit RGB.",
            "dataType": "sc:ImageObject",
            "source": {"fileSet": {"@id": "pictures"}, "extract": {"fileProperty": "content"}},
        }
    )
    return told


def _record_set(name: str, file: str, key: str, columns: Sequence[Column]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "key": {"@id": f"{name}/{key}"},
        "field": [_field(name, file, column) for column in columns],
    }


def _field(record_set: str, file: str, column: Column) -> dict[str, Any]:
    told: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{record_set}/{column.name}",
        "name": column.name,
        "description": column.about,
        "dataType": DATA_TYPES[column.kind],
        "source": {"fileObject": {"@id": file}, "extract": {"column": column.name}},
    }
    if column.references:
        told["references"] = {"field": {"@id": f"images/{column.references}"}}
    return told
