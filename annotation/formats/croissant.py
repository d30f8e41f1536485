"""croissant.json: what an export holds, in Croissant 1.1 (JSON-LD), as catalogues and mlcroissant read it.

A format tells its files and sets of files (`Resource`) and its tables (`Table`); nothing of it grows with a dataset.
No dates, no address: what is not known here is left to whoever publishes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotation import storage
from annotation.formats.base import UNNAMED, Brief
from annotation.formats.manifest import DESCRIPTION, ManifestWriter

JSON, JSON_LINES, TAR = "application/json", "application/jsonlines", "application/x-tar"
PARQUET = "application/x-parquet"  # as the specification and its readers call it
PICTURE_TYPES = ("image/jpeg", "image/png")
PICTURE_FILES = "picture-files"
DATA_TYPES = {
    "bool": "sc:Boolean",
    "int32": "cr:Int32",
    "int64": "cr:Int64",
    "float64": "cr:Float64",
    "string": "sc:Text",
    "picture": "sc:ImageObject",
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
class Resource:
    """A file of the export, or, with `includes`, all files of those names; `inside` names archives that hold them.

    Readers read a resource in one way only: what two tables read in different ways has two resources.
    """

    key: str
    types: tuple[str, ...]
    file: str = ""
    includes: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """A column of a table: `kind` is a key of DATA_TYPES, `references` another column as `table/name`.

    It is found under its own name, at `path` (JSONPath) of a document, or is a `property` of a file: its `filename` or
    its `content`. `repeated` for lists.
    """

    name: str
    kind: str
    about: str
    references: str = ""
    path: str = ""
    property: str = ""
    repeated: bool = False
    shape: str = "-1"  # of a repeated one


@dataclass(frozen=True)
class Table:
    """A record set. `pictures` is the set of files that its column `file_name` names: it gets a column `picture`.

    mlcroissant joins files with what is read as columns, not with JSON documents, which have a table of files beside;
    and it reads no JSON documents inside of archives.
    """

    name: str
    resource: str
    columns: Sequence[Column]
    key: str = ""
    pictures: str = ""


def pictures_of(*includes: str) -> Resource:
    """The pictures of an export: `images/*.jpg` and so on."""
    return Resource(PICTURE_FILES, PICTURE_TYPES, includes=includes or ("images/*.jpg", "images/*.png"))


def table_of_files(name: str, resource: str, about: str) -> Table:
    """A row for each file of a set of pictures: its name and what it shows."""
    columns = (
        Column("file_name", "string", "Name of the file.", property="filename"),
        Column("picture", "picture", about, property="content"),
    )
    return Table(name, resource, columns, key="file_name")


PICTURE_TABLE = table_of_files("pictures", PICTURE_FILES, "The picture: upright, 8-bit RGB.")
INDEX_COLUMNS = (
    Column("image", "string", "Name of its picture."),
    Column("width", "int32", "Columns of pixels of the picture."),
    Column("height", "int32", "Rows of pixels of the picture."),
    Column("category", "string", f"What it shows; {UNNAMED} for masks without a category."),
    Column("bbox", "int32", "x, y, width and height in pixels.", repeated=True),
    Column("area", "int64", "Pixels inside."),
    Column("crowd", "bool", "Whether it covers a crowd rather than one object."),
)


def described(
    folder: Path, manifest: ManifestWriter, brief: Brief, resources: Sequence[Resource], tables: Sequence[Table]
) -> None:
    """Write the description of a folder whose files are written, and enter it in the manifest."""
    about = brief.about
    digests = {name: storage.sha256_of(folder / name) for name in {one.file for one in resources if one.file}}
    document = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": about.get("dataset") or "Dataset",
        "description": "Images with segmentation masks, made with Anymask. datasheet.md tells the rest.",
        "license": [name for name in (about.get("licence"), *brief.licences) if name] or ["not stated"],
        **_version(about),
        "distribution": [_distributed(resource, digests) for resource in resources],
        "recordSet": [_record_set(table, {resource.key: resource for resource in resources}) for table in tables],
    }
    (folder / DESCRIPTION).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    manifest.add(DESCRIPTION)


def _version(about: dict[str, Any]) -> dict[str, str]:
    """The frozen version, where it is one: its number, and the digest of what it holds."""
    frozen = about.get("version")
    return {"version": f"{frozen['number']}.0.0", "identifier": frozen["digest"]} if frozen else {}


def _distributed(resource: Resource, digests: dict[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {"@id": resource.key, "name": resource.key, "encodingFormat": list(resource.types)}
    if resource.file:
        file = {"contentUrl": resource.file, "sha256": digests[resource.file]}
        return {"@type": "cr:FileObject", **told, **file}
    if resource.inside:
        told["containedIn"] = [{"@id": key} for key in resource.inside]
    return {"@type": "cr:FileSet", **told, "includes": list(resource.includes)}


def _record_set(table: Table, resources: dict[str, Resource]) -> dict[str, Any]:
    fields = [_field(table, resources[table.resource], column) for column in table.columns]
    if table.pictures:
        named = {"fileSet": {"@id": table.pictures}}
        name = next(field for field in fields if field["name"] == "file_name")
        name["references"] = named | {"extract": {"fileProperty": "filename"}}
        picture = Column("picture", "picture", f"The file itself, of {table.pictures}.", property="content")
        fields.append(_field(table, resources[table.pictures], picture))
    told: dict[str, Any] = {"@type": "cr:RecordSet", "@id": table.name, "name": table.name, "field": fields}
    return told | ({"key": {"@id": f"{table.name}/{table.key}"}} if table.key else {})


def _field(table: Table, resource: Resource, column: Column) -> dict[str, Any]:
    if column.path:
        extract = {"jsonPath": column.path}
    else:
        extract = {"fileProperty": column.property} if column.property else {"column": column.name}
    whole = "fileObject" if resource.file else "fileSet"
    told: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{table.name}/{column.name}",
        "name": column.name,
        "description": column.about,
        "dataType": DATA_TYPES[column.kind],
        "source": {whole: {"@id": resource.key}, "extract": extract},
    }
    if column.repeated:
        told |= {"isArray": True, "arrayShape": column.shape}
    if column.references:
        told["references"] = {"field": {"@id": column.references}}
    return told
