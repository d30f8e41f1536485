"""Every model variant by name. Each builder is one function with all its numbers in sight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from modelzoo.model.compact import Compact, anymask_compact
from modelzoo.model.segmenter import build_sam, mobile_sam, sam_vit_b, sam_vit_h, sam_vit_l

BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "anymask_compact": anymask_compact,
    "mobile_sam": mobile_sam,
    "sam_vit_b": sam_vit_b,
    "sam_vit_l": sam_vit_l,
    "sam_vit_h": sam_vit_h,
}


def build(name: str, **overrides: Any) -> Any:
    """A model with fresh weights. KeyError with the known names for an unknown one."""
    if name not in BUILDERS:
        raise KeyError(f"Unknown model {name!r}. Known: {', '.join(sorted(BUILDERS))}.")
    return BUILDERS[name](**overrides)


def rebuild(variant: str, config: Mapping[str, Any]) -> Any:
    """The empty model that `model.variant` and `model.config` of another one describe."""
    if variant not in BUILDERS:
        raise KeyError(f"Unknown model {variant!r}. Known: {', '.join(sorted(BUILDERS))}.")
    return Compact(**config) if variant == Compact.variant else build_sam(config)
