"""Cut-outs: each object on a transparent ground, or the picture without it, or a mask for inpainting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.formats import croissant
from annotation.formats.base import UNNAMED, Brief, ExportFormat, Option, Records
from annotation.formats.croissant import Column, Resource, Table
from annotation.formats.manifest import Counts, ManifestWriter, VerifyError, verify_files
from annotation.formats.pictures import INDEX, IndexWriter, index_rows, load_png, pixels_of, save_png, stem_of
from annotation.models import Mask
from modelzoo import rle

FORMAT = "cutouts"
OBJECT, REST, INVERSE = "object", "rest", "inverse"
FEATHER = Option("feather", "Feather, pixels", 0, low=0, high=50, about="Width of the soft edge on either side.")
PLACES = (
    Column("file", "string", "The cut-out."),
    Column("offset", "int32", "x and y in the picture of its first pixel.", repeated=True),
)
TABLES = (Table("masks", INDEX, (*croissant.INDEX_COLUMNS, *PLACES), key="file"),)


def write(folder: Path, records: Records, brief: Brief) -> Counts:
    """One PNG per mask, in a folder per image; memory does not grow with the dataset."""
    kind, feather = str(brief.options.get("kind", OBJECT)), int(brief.options.get("feather", 0))
    with ManifestWriter(folder, file_format=f"{FORMAT}_{kind}", about=brief.about) as manifest:
        with IndexWriter(folder) as index:
            for image, masks in records:
                place = f"{kind}/{stem_of(image)}"
                if masks:
                    (folder / place).mkdir(parents=True)
                    pixels = pixels_of(image) if kind != INVERSE else None
                for mask in masks:
                    name = f"{place}/{mask.serial:08d}.png"
                    x, y, array = _drawn(kind, pixels, mask, feather)
                    save_png(array, folder / name)
                    manifest.add(name)
                    alpha = array[..., 3] if array.ndim == 3 else array
                    index.add(image, mask, file=name, offset=[x, y], alpha=int(alpha.sum(dtype=np.int64)))
                manifest.counts.images += 1
                manifest.counts.masks += len(masks)
                brief.on_image()
        manifest.add(INDEX)
        files = Resource("cutouts", ("image/png",), includes=(f"{kind}/*/*.png",))
        croissant.described(folder, manifest, brief, (Resource(INDEX, (croissant.JSON_LINES,), INDEX), files), TABLES)
        manifest.counts.categories = sorted({name or UNNAMED for name in brief.categories})
    return manifest.counts


def _drawn(kind: str, pixels: NDArray[np.uint8] | None, mask: Mask, feather: int) -> tuple[int, int, NDArray[Any]]:
    """(x, y, array): where in the picture the array's first pixel is, and RGBA or, of a mask, grey.

    `object` is trimmed to the mask and its feather; the other two have the size of the picture. What is transparent
    has no colour: programs that drop alpha would show it.
    """
    height, width = mask.segmentation["size"]
    x, y, w, h = mask.bbox
    if kind == OBJECT:
        left, top = max(x - feather, 0), max(y - feather, 0)
        box = [left, top, min(x + w + feather, width) - left, min(y + h + feather, height) - top]
    else:
        box = [0, 0, width, height]
    alpha = feathered(rle.decode_box(mask.segmentation, box), feather)
    if kind == INVERSE:
        return 0, 0, 255 - alpha
    assert pixels is not None
    left, top, w, h = box
    colours = pixels[top : top + h, left : left + w]
    array = np.dstack((colours, alpha if kind == OBJECT else 255 - alpha))
    array[array[..., 3] == 0] = 0
    return left, top, array


def feathered(inside: NDArray[np.bool_], feather: int) -> NDArray[np.uint8]:
    """Alpha 0..255 of a bool mask (h, w); it falls to 0 over `feather` pixels on either side of the border.

    With 0 the border is hard. The middle of the slope lies on the border, so the object keeps its size; where the
    object is cut off by the edge of the picture it does not fade.
    """
    if not feather or inside.all() or not inside.any():
        return inside.astype(np.uint8) * np.uint8(255)
    from scipy import ndimage  # the web process has no scipy

    within, beyond = ndimage.distance_transform_edt(inside), ndimage.distance_transform_edt(~inside)
    signed = np.where(inside, within - 0.5, 0.5 - beyond)  # to the border, which lies between two pixels
    alpha: NDArray[np.uint8] = np.rint(np.clip(0.5 + signed / (2 * feather), 0, 1) * 255).astype(np.uint8)
    return alpha


def verify(folder: Path, counts: Counts) -> None:
    """Read everything again: size and transparency of every cut-out are those of masks.jsonl. Raises VerifyError."""
    verify_files(folder)
    masks = 0
    for row in index_rows(folder):
        array = load_png(folder / row["file"])
        alpha = array[..., 3] if array.ndim == 3 else array
        if int(alpha.sum(dtype=np.int64)) != row["alpha"]:
            raise VerifyError(f"{row['file']} differs from what was drawn")
        masks += 1
    if masks != counts.masks:
        raise VerifyError(f"{masks} cut-outs read, {counts.masks} written")


EXPORT = ExportFormat(
    name=FORMAT,
    title="Cut-outs",
    about="One PNG per object with a transparent ground, or the inverse for inpainting.",
    loses="The pictures themselves are not in it.",
    options=(
        Option(
            "kind",
            "Content",
            OBJECT,
            (
                (OBJECT, "the object, trimmed, on a transparent ground"),
                (REST, "the picture with the object cut out"),
                (INVERSE, "inverse mask for inpainting: black object on white"),
            ),
        ),
        FEATHER,
    ),
    write=write,
    verify=verify,
)
