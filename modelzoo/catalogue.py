"""Weights that others have published and that load here: what they are, under which licence, where they come from.

File lengths and SHA-256 were each found in at least three independent public sources (docs/models.md names the kinds);
nobody of this project has downloaded the files. Licences are what the authors state. No torch here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

SHIPPED = Path(__file__).parent / "weights"
# Of our own weights, by file name.
SHIPPED_LICENCES = {"anymask_compact": "Apache-2.0", "anymask_compact_all": "non-commercial use only"}
SUFFIXES = (".safetensors", ".pth", ".pt")
MOST_BYTES = 4 * 1024**3  # of any weight file; ViT-H in float32 has 2.6 GB

# Seconds to encode one picture on two CPU cores, from measured CPU seconds with random weights (docs/models.md: how).
ENCODE_SECONDS = {"anymask_compact": 0.1, "mobile_sam": 1.1, "sam_vit_b": 8.5, "sam_vit_l": 26.0, "sam_vit_h": 49.0}
SPEED_CLASSES = ((0.5, "instant"), (3.0, "fast"), (15.0, "slow"))  # below so many seconds; above: "very slow"


@dataclass(frozen=True)
class Published:
    """One published weight file. `name` is also the variant that it builds."""

    name: str
    title: str
    parameters: int
    input_side: int
    file_name: str
    file_bytes: int
    sha256: str
    url: str
    licence: str
    origin: str


_SAM = "https://github.com/facebookresearch/segment-anything"
_SAM_FILES = "https://dl.fbaipublicfiles.com/segment_anything"
_MOBILE = "https://github.com/ChaoningZhang/MobileSAM"
_MOBILE_FILES = (
    "https://raw.githubusercontent.com/ChaoningZhang/MobileSAM/f706ad9c4eb7f219c00d9050e46328518ffb65d2/weights"
)

CATALOGUE = {
    entry.name: entry
    for entry in (
        Published(
            name="mobile_sam",
            title="MobileSAM (TinyViT-5M)",
            parameters=10_130_092,
            input_side=1024,
            file_name="mobile_sam.pt",
            file_bytes=40_728_226,
            sha256="6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
            url=f"{_MOBILE_FILES}/mobile_sam.pt",
            licence="Apache-2.0",
            origin=_MOBILE,
        ),
        Published(
            name="sam_vit_b",
            title="SAM ViT-B",
            parameters=93_735_472,
            input_side=1024,
            file_name="sam_vit_b_01ec64.pth",
            file_bytes=375_042_383,
            sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
            url=f"{_SAM_FILES}/sam_vit_b_01ec64.pth",
            licence="Apache-2.0",
            origin=_SAM,
        ),
        Published(
            name="sam_vit_l",
            title="SAM ViT-L",
            parameters=312_342_832,
            input_side=1024,
            file_name="sam_vit_l_0b3195.pth",
            file_bytes=1_249_524_607,
            sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
            url=f"{_SAM_FILES}/sam_vit_l_0b3195.pth",
            licence="Apache-2.0",
            origin=_SAM,
        ),
        Published(
            name="sam_vit_h",
            title="SAM ViT-H",
            parameters=641_090_608,
            input_side=1024,
            file_name="sam_vit_h_4b8939.pth",
            file_bytes=2_564_550_879,
            sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
            url=f"{_SAM_FILES}/sam_vit_h_4b8939.pth",
            licence="Apache-2.0",
            origin=_SAM,
        ),
    )
}


def weights_folder() -> Path:
    """Where fetched weights are kept: ANYMASK_WEIGHTS, else `weights` beside the installation's other state."""
    chosen = os.environ.get("ANYMASK_WEIGHTS")
    state = os.environ.get("ANYMASK_DATA") or Path(__file__).parents[1] / "data"  # as config.settings has it
    return (Path(chosen) if chosen else Path(state) / "weights").expanduser()


def find_weights(name: str) -> Path | None:
    """The file that a name stands for: a path, shipped weights, or fetched ones of the catalogue; None without one."""
    path = Path(name)
    if path.suffix in SUFFIXES:
        return path if path.is_file() else None
    candidates = [SHIPPED / f"{name}.safetensors"]
    if name in CATALOGUE:
        candidates.append(weights_folder() / CATALOGUE[name].file_name)
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def published_as(sha256: str) -> Published | None:
    """The catalogued file with this digest."""
    return next((entry for entry in CATALOGUE.values() if entry.sha256 == sha256), None)


def speed_class(variant: str) -> str:
    """How long people wait for a picture of this variant on two CPU cores, in a word; "" for one not measured."""
    seconds = ENCODE_SECONDS.get(variant)
    if seconds is None:
        return ""
    return next((word for limit, word in SPEED_CLASSES if seconds < limit), "very slow")
