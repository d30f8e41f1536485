"""Rows of what people make. Rules about one row live here; what touches two rows is a service."""

from annotation.models.box import BoxPrompt
from annotation.models.consensus import Consensus, ConsensusItem
from annotation.models.dataset import Dataset, LengthUnit, QueueOrder, Stage
from annotation.models.figures import Figures
from annotation.models.group import Group, GroupRole
from annotation.models.image import Image, Tombstone, split_for
from annotation.models.job import Hold, Job, WorkerPulse
from annotation.models.mask import Mask
from annotation.models.measurement import Measurement, MeasurementSummary
from annotation.models.member import Member
from annotation.models.people import ApiToken, Event, Invitation
from annotation.models.review import ReviewItem
from annotation.models.statistics import Statistics
from annotation.models.task import Comparison, Task
from annotation.models.upload import Upload
from annotation.models.version import Version
from annotation.models.video import Track, Video
from annotation.models.webhook import Delivery, Webhook

__all__ = [
    "ApiToken",
    "BoxPrompt",
    "Comparison",
    "Consensus",
    "ConsensusItem",
    "Dataset",
    "Delivery",
    "Event",
    "Figures",
    "Group",
    "GroupRole",
    "Hold",
    "Image",
    "Invitation",
    "Job",
    "LengthUnit",
    "Mask",
    "Measurement",
    "MeasurementSummary",
    "Member",
    "QueueOrder",
    "ReviewItem",
    "Stage",
    "Statistics",
    "Task",
    "Tombstone",
    "Track",
    "Upload",
    "Version",
    "Video",
    "Webhook",
    "WorkerPulse",
    "split_for",
]
