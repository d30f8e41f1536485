"""Rows of what people make. Rules about one row live here; what touches two rows is a service."""

from annotation.models.dataset import Dataset, Stage
from annotation.models.image import Image, split_for
from annotation.models.job import Job, WorkerPulse
from annotation.models.mask import Mask
from annotation.models.member import Member
from annotation.models.task import Task

__all__ = ["Dataset", "Image", "Job", "Mask", "Member", "Stage", "Task", "WorkerPulse", "split_for"]
