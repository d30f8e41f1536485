"""Rows of the loop. Rules about one row live here; everything that touches two rows is a service beside this module.

ModelVersion   immutable weights, known by the sha256 of the checkpoint file
ServingModel   which version a dataset's annotators work with (no row: the default base version)
Embedding      the encoder's output for one image and one version: a float16 file
Snapshot       the frozen training set of one moment, known by the digest of its manifest
SnapshotImage  which masks of which image a snapshot holds: its manifest, where it can be asked from either end
RetrainingPlan how a dataset is retrained, and what came of its schedule the last time
TrainingRun    one way from a snapshot to a candidate; at most one open per dataset
Evaluation     what was measured for the candidate or the serving version in one run
Promotion      every switch of the serving version, and every refusal to switch
VersionComparison  the same prompts to two versions on images that a person chose
ShadowComparison  people's prompts replayed through the serving version and another one
Detector       finds boxes on one version's embeddings: what the semi-automatic stage proposes
StageResult    one image done by one machine stage with one version and one set of settings
Uncertainty    how unsure one version is of one image: the order of the queue
StageRule      what a lead asks for before a dataset leaves a stage
StageMove      every change of a dataset's stage: by rule or by whom, and the values of that moment
WorkTally      what people's masks took, summed by day, person, stage and version (WorkCursor: how far it is counted)
MaskIndex      what masks look like to one version, in blocks (MaskVectors), for finding the like of them
Audit          a random sample that people correct, and what that says of the masks (AuditedImage: one of its images)
"""

from __future__ import annotations

from engine.models.audits import Audit, AuditedImage
from engine.models.comparisons import VersionComparison
from engine.models.similarity import MaskIndex, MaskVectors
from engine.models.stages import Detector, StageMove, StageResult, StageRule
from engine.models.training import (
    Evaluation,
    Promotion,
    RetrainingPlan,
    ShadowComparison,
    Snapshot,
    SnapshotImage,
    TrainingRun,
)
from engine.models.versions import Embedding, ModelVersion, ServingModel, Uncertainty
from engine.models.work import WorkCursor, WorkTally

__all__ = [
    "Audit",
    "AuditedImage",
    "Detector",
    "Embedding",
    "Evaluation",
    "MaskIndex",
    "MaskVectors",
    "ModelVersion",
    "Promotion",
    "RetrainingPlan",
    "ServingModel",
    "ShadowComparison",
    "Snapshot",
    "SnapshotImage",
    "StageMove",
    "StageResult",
    "StageRule",
    "TrainingRun",
    "Uncertainty",
    "VersionComparison",
    "WorkCursor",
    "WorkTally",
]
