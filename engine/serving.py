"""Which version serves a dataset, and the loaded models behind the rows.

The web process reads rows and runs the ONNX decoder. Whatever needs torch imports it inside the function, and only
workers and commands call those: ``predictor_for``, ``version_register``, ``base_model_register``,
``outside_model_register``.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.conf import settings
from django.db import transaction

from annotation import storage
from annotation.errors import Missing, NotReady, UserError
from engine.models import ModelVersion, ServingModel

if TYPE_CHECKING:
    from modelzoo.onnx_decoder import OnnxDecoder
    from modelzoo.predictor import Predictor

T = TypeVar("T")

logger = logging.getLogger(__name__)

WHOLE_SECONDS = 600  # until an object store is asked again for the parts of a decoder that has none
_whole: dict[str, float] = {}  # digest -> until when
# Files beside a decoder: what a browser takes instead (modelzoo.export), of a SAM and of the default model.
PARTS = {"views": "decoder_views.onnx", "prompts": "decoder_prompts.safetensors"}
WEIGHTS = {"weights": "decoder_weights.safetensors"}


class Recent(Generic[T]):
    """The few most recently used values, each made once; safe between threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[str, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, make: Callable[[], T]) -> T:
        """The value of ``key``, made by ``make`` if it is not at hand. Others wait meanwhile: a model loads once."""
        with self._lock:
            if key not in self._values:
                self._values[key] = make()
                if len(self._values) > self._most:
                    self._values.popitem(last=False)
            self._values.move_to_end(key)
            return self._values[key]


_predictors: Recent[Predictor] = Recent(2)
_decoders: Recent[OnnxDecoder] = Recent(4)


def default_version() -> ModelVersion:
    """The base version that serves every dataset which has none of its own. NotReady while none is registered."""
    version = ModelVersion.objects.filter(is_default=True).first()
    if version is None:
        raise NotReady("no_model", "No model is registered yet. `manage.py prepare` registers the one that is shipped.")
    return version


def serving_version(dataset_id: int) -> ModelVersion:
    """The version that a dataset's annotators work with now. NotReady while no model is registered."""
    row = ServingModel.objects.filter(dataset_id=dataset_id).select_related("version").first()
    return row.version if row else default_version()


def serving_versions(dataset_ids: Iterable[int]) -> dict[int, ModelVersion]:
    """``serving_version`` of several datasets in two queries; empty while no model is registered."""
    wanted = set(dataset_ids)
    rows = ServingModel.objects.filter(dataset_id__in=wanted).select_related("version")
    found = {row.dataset_id: row.version for row in rows}
    default = ModelVersion.objects.filter(is_default=True).first()
    return found if default is None else {dataset: found.get(dataset, default) for dataset in wanted}


def version_by_digest(digest: str) -> ModelVersion:
    """The version with this digest, or Missing."""
    version = ModelVersion.objects.filter(digest=digest).first()
    if version is None:
        raise Missing("unknown_model", "There is no model with this digest.")
    return version


def decoder_parts(version: ModelVersion) -> dict[str, str]:
    """Relative paths of a decoder's parts by name; empty where it has none, as versions of earlier releases."""
    folder = PurePosixPath(version.decoder_path).parent
    forms = [{part: str(folder / name) for part, name in names.items()} for names in (WEIGHTS, PARTS)]
    for paths in forms:
        if all(storage.full(path).is_file() for path in paths.values()):
            return paths
    if time.monotonic() < _whole.get(version.digest, 0):
        return {}
    for paths in forms:
        if all(storage.exists(path) for path in paths.values()):
            return paths
    _whole[version.digest] = time.monotonic() + WHOLE_SECONDS
    return {}


def decoder_for(version: ModelVersion) -> OnnxDecoder:
    """The ONNX decoder of a version, loaded once per process (the few latest are kept). No torch."""
    from modelzoo.onnx_decoder import OnnxDecoder

    return _decoders.get(version.digest, lambda: OnnxDecoder(storage.found(version.decoder_path)))


def predictor_for(version: ModelVersion) -> Predictor:
    """The torch predictor of a version, loaded once per process (the two latest are kept). Workers only."""
    from modelzoo.checkpoint import load_checkpoint
    from modelzoo.predictor import Predictor

    def load() -> Predictor:
        return Predictor(load_checkpoint(storage.found(version.checkpoint_path)))

    return _predictors.get(version.digest, load)


def version_register(
    *,
    checkpoint: Path,
    name: str,
    state: str,
    dataset_id: int | None = None,
    parent: ModelVersion | None = None,
    metrics: dict[str, Any] | None = None,
    origin: dict[str, str] | None = None,
    expected: str | None = None,
) -> ModelVersion:
    """Take a checkpoint file into storage under its digest, with its ONNX decoder, and record it. Workers only.

    The decoder is exported and compared with the torch model before anything is recorded. A digest that is known
    already gives the existing row; one other than ``expected`` is refused before anything opens the file. Raises
    what the checkpoint loader raises for a file that is no model.
    """
    from modelzoo.checkpoint import CheckpointError, checkpoint_digest, load_checkpoint
    from modelzoo.export import export_decoder
    from modelzoo.weight_files import check_file

    check_file(checkpoint)
    digest = expected or checkpoint_digest(checkpoint)
    known = ModelVersion.objects.filter(digest=digest).first()
    if known is not None:
        _parts_complete(known)
        return known
    place = storage.path_for("models", digest)
    with storage.work_folder() as work:
        folder = work / "version"
        folder.mkdir()
        weights = f"model{checkpoint.suffix}"
        shutil.copyfile(checkpoint, folder / weights)
        # What is loaded and kept is this copy: the original may change under our hands.
        if checkpoint_digest(folder / weights) != digest:
            raise CheckpointError(f"{checkpoint.name} is not the file with SHA-256 {digest}.")
        model = load_checkpoint(folder / weights)
        export_decoder(model, folder / "decoder.onnx")
        _parts_write(model, folder)
        # The folder appears whole; one that is there already is the same, since its name is the digest.
        storage.adopt(folder, place)
    version, _ = ModelVersion.objects.get_or_create(
        digest=digest,
        defaults={
            "name": name,
            "variant": model.variant,
            "origin": origin or {},
            "dataset_id": dataset_id,
            "parent": parent,
            "state": state,
            "checkpoint_path": f"{place}/{weights}",
            "decoder_path": f"{place}/decoder.onnx",
            "metrics": metrics or {},
        },
    )
    return version


def _parts_write(model: Any, folder: Path) -> None:
    """A decoder's parts into ``folder``. They are a favour: without them the whole decoder is used."""
    from modelzoo.export import export_parts, export_weights
    from modelzoo.model.segmenter import Sam

    try:
        if isinstance(model, Sam):
            export_parts(model, *(folder / name for name in PARTS.values()))
        else:
            export_weights(model, *(folder / name for name in WEIGHTS.values()))
    except RuntimeError:
        logger.warning("The decoder of %s stays whole.", model.variant, exc_info=True)


def decoders_complete() -> None:
    """Make the decoder's parts of every version in service that was registered before there were these. Safe to
    repeat. Weights that cannot be read leave their decoder whole: they are no reason not to start. Workers only."""
    from modelzoo.checkpoint import CheckpointError

    for version in ModelVersion.objects.filter(serving__isnull=False).distinct():
        try:
            _parts_complete(version)
        except (CheckpointError, OSError):
            logger.warning("The decoder of %s stays whole.", version.name, exc_info=True)


def _parts_complete(version: ModelVersion) -> None:
    """Make the parts of a version that was registered before there were these."""
    from modelzoo.checkpoint import load_checkpoint

    checkpoint = storage.found(version.checkpoint_path)
    if checkpoint.is_file() and not decoder_parts(version):
        with storage.work_folder() as work:
            _parts_write(load_checkpoint(checkpoint), work)
            for path in work.iterdir():
                storage.adopt(path, storage.path_for("models", version.digest, path.name))


def base_model_register(*, checkpoint: Path | None = None, name: str = "") -> ModelVersion:
    """Register the shipped model (or ``checkpoint``) as the default base version. Safe to repeat. Workers only."""
    from modelzoo.checkpoint import checkpoint_digest

    checkpoint = checkpoint or Path(settings.ANYMASK_MODEL)
    metrics, digest = _own_metrics(checkpoint), checkpoint_digest(checkpoint)
    version = version_register(
        checkpoint=checkpoint,
        name=name or checkpoint.stem,
        state=ModelVersion.State.BASE,
        metrics=metrics,
        origin=_origin(checkpoint, digest),
        expected=digest,
    )
    if not version.is_default:
        with transaction.atomic():
            ModelVersion.objects.filter(is_default=True).update(is_default=False)
            ModelVersion.objects.filter(pk=version.pk, dataset__isnull=True).update(is_default=True)
        version.refresh_from_db()
    return version


def outside_model_register(*, source: str, sha256: str = "", name: str = "", licence: str = "") -> ModelVersion:
    """Register weights made elsewhere as a version that every dataset may serve. Safe to repeat. Workers only.

    ``source`` is a name of the catalogue whose file was fetched, or a path. Nothing opens the file before its SHA-256
    is ``sha256``, or the published one. UserError no_weights, digest_needed (a PyTorch file that nobody vouches
    for), wrong_digest, bad_weights.
    """
    from modelzoo.catalogue import CATALOGUE, find_weights
    from modelzoo.checkpoint import CheckpointError, checkpoint_digest
    from modelzoo.weight_files import check_file

    path = find_weights(source)
    if path is None:
        hint = f": `python -m modelzoo fetch {source}` brings them" if source in CATALOGUE else ""
        raise UserError("no_weights", f"There are no weights {source!r} here{hint}.")
    try:
        kind, digest = check_file(path), checkpoint_digest(path)
        origin = _origin(path, digest)
        expected = sha256.strip().lower() or (CATALOGUE[source].sha256 if source in CATALOGUE else "")
        if expected and digest != expected:
            raise UserError("wrong_digest", f"{path.name} has SHA-256 {digest}, not {expected}.")
        if not expected and kind == "pickle" and "url" not in origin:
            raise UserError(
                "digest_needed",
                f"Nobody here vouches for {path.name}, a PyTorch file. State the SHA-256 that its publisher names.",
            )
        return version_register(
            checkpoint=path,
            name=name or origin.get("title", path.stem),
            state=ModelVersion.State.BASE,
            metrics=_own_metrics(path),
            origin=origin | ({"licence": licence} if licence else {}),
            expected=digest,
        )
    except CheckpointError as error:
        raise UserError("bad_weights", str(error)) from error


def _own_metrics(checkpoint: Path) -> dict[str, Any]:
    """The figures that our own files carry; nobody else's do."""
    from modelzoo.weight_files import WeightFile, check_file

    header = WeightFile(checkpoint).header if check_file(checkpoint) == "safetensors" else None
    return dict(((header or {}).get("metadata") or {}).get("metrics") or {})


def _origin(checkpoint: Path, digest: str) -> dict[str, str]:
    """Where a file comes from and under which licence, as far as the catalogue knows its digest."""
    from modelzoo.catalogue import published_as

    entry = published_as(digest)
    if entry is None:
        return {"file": checkpoint.name}
    told = {"title": entry.title, "licence": entry.licence, "url": entry.url, "project": entry.origin}
    return {"file": entry.file_name, **told}
