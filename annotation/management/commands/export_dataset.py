"""python manage.py export_dataset NAME --format coco --out DIR: a verified export as a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.errors import UserError
from annotation.exported import ExportFilter
from annotation.formats.registry import EXPORTS
from annotation.models import Dataset, Image, Mask, Stage
from annotation.services import exports

_FILTERS: dict[str, list[str] | None] = {
    "stage": Stage.values,
    "status": [str(status) for status in Mask.CURRENT],
    "source": Mask.Source.values,
    "category": None,
    "model": None,
    "split": Image.Split.values,
    "licence": None,
    "consent": Image.Consent.values,
}
_PLURALS = {"status": "statuses", "category": "categories"}


class Command(BaseCommand):
    """The same service as the page, without a worker. The folder appears whole or not at all."""

    help = "Export a dataset; everything is read again before the folder appears."

    def add_arguments(self, parser: CommandParser) -> None:
        """NAME, --format, --out, --option, and one argument per filter, which may be repeated."""
        parser.add_argument("name", help="Name of the dataset.")
        parser.add_argument("--format", choices=list(EXPORTS), required=True, dest="export_format")
        parser.add_argument("--out", type=Path, required=True, help="A folder that is not there yet, or empty.")
        parser.add_argument(
            "--option", action="append", default=[], metavar="NAME=VALUE", help="Of the format; see docs/formats.md."
        )
        for name, values in _FILTERS.items():
            parser.add_argument(f"--{name}", action="append", choices=values, help="May be repeated.")
        parser.add_argument("--version-number", type=int, help="A frozen version instead of the present; no filters.")
        for end in ("min", "max"):
            parser.add_argument(
                f"--audit-iou-{end}", type=_share, metavar="IOU", help="Only masks that an audit left with such an IoU."
            )
        parser.add_argument("--audited", action="store_true", help="Only images that people corrected in an audit.")
        parser.add_argument("--masked", action="store_true", help="Only images with a mask that is chosen.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Export, and say what was written."""
        dataset = Dataset.objects.filter(name=options["name"]).first()
        if dataset is None:
            raise CommandError(f"There is no dataset {options['name']!r}.")
        out: Path = options["out"].expanduser().resolve()
        filters = {_PLURALS.get(name, f"{name}s"): options[name] for name in _FILTERS if options[name]}
        filters |= {name: options[name] for name in ("audited", "masked", "audit_iou_min", "audit_iou_max")}
        try:
            counts = exports.export_folder(
                dataset=dataset,
                export_format=options["export_format"],
                out=out,
                progress=self._progress,
                options=dict(_option(text) for text in options["option"]),
                version=options["version_number"],
                chosen=ExportFilter.of(filters),
            )
        except UserError as problem:
            raise CommandError(problem.message) from None
        left_out = f", {counts.left_out} masks left out" if counts.left_out else ""
        self.stdout.write(
            f"{out}: {counts.images} images, {counts.masks} masks, {counts.files} files, verified{left_out}"
        )

    def _progress(self, fraction: float, message: str) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{fraction:4.0%} {message}   ", ending="")


def _share(text: str) -> float:
    """A number of 0..1; argparse tells of any other."""
    if not 0 <= (value := float(text)) <= 1:
        raise ValueError
    return value


def _option(text: str) -> tuple[str, str | int]:
    """NAME=VALUE; a value of digits is a whole number."""
    name, _, value = text.partition("=")
    return name, int(value) if value.isdecimal() else value
