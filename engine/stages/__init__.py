"""The three stages of a dataset, by name. How to add one: CONTRIBUTING.md."""

from __future__ import annotations

from annotation.errors import UserError
from engine.stages.assisted import Assisted
from engine.stages.base import Stage
from engine.stages.fully_automatic import FullyAutomatic
from engine.stages.semi_automatic import SemiAutomatic

STAGES: dict[str, Stage] = {stage.name: stage for stage in (Assisted(), SemiAutomatic(), FullyAutomatic())}


def stage_named(name: str) -> Stage:
    """The stage with this name, or UserError with the names there are."""
    if name not in STAGES:
        raise UserError("unknown_stage", f"There is no stage {name!r}. Stages: {', '.join(STAGES)}.")
    return STAGES[name]
