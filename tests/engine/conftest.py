"""Model versions for the tests: rows alone where no model runs, and one small real model where one does."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from annotation import storage
from annotation.models import Task
from engine import exemplars, words
from engine.models import ModelVersion
from tests.engine.halves import BLUE, LEFT, RED, Halves, half, picture


def version_row(name: str, **fields) -> ModelVersion:
    """A version that exists in the database alone. Its digest spells its name."""
    values = {
        "digest": name.encode().hex().ljust(64, "0"),
        "name": name,
        "variant": "anymask_compact",
        "state": ModelVersion.State.BASE,
        "checkpoint_path": "models/none/model.safetensors",
        "decoder_path": "models/none/decoder.onnx",
    }
    return ModelVersion.objects.create(**{**values, **fields})


@pytest.fixture
def base(db) -> ModelVersion:
    """The default base version, without files."""
    return version_row("base", is_default=True)


@pytest.fixture(scope="session")
def small_model(tmp_path_factory) -> Path:
    """A folder with model.safetensors of a compact model that looks at 64 pixels, with random weights."""
    torch = pytest.importorskip("torch")
    from modelzoo.build import build
    from modelzoo.checkpoint import save_checkpoint

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    save_checkpoint(build("anymask_compact", long_side=64), folder / "model.safetensors")
    return folder


@pytest.fixture(scope="session")
def registered_files(small_model, tmp_path_factory, django_db_setup, django_db_blocker) -> tuple[dict, Path]:
    """Fields and folder of the small model once registered: exporting the decoder takes seconds, so once a session."""
    from django.conf import settings
    from django.forms.models import model_to_dict
    from django.test import override_settings

    from engine.serving import base_model_register

    with override_settings(ANYMASK_DATA=tmp_path_factory.mktemp("registered")), django_db_blocker.unblock():
        version = base_model_register(checkpoint=small_model / "model.safetensors")
        fields = model_to_dict(version, exclude=["id", "dataset", "parent"])
        # Without the signals: they would take the files along.
        ModelVersion.objects.all()._raw_delete("default")
        return fields, Path(settings.ANYMASK_DATA) / "models"


@pytest.fixture
def real_base(db, registered_files) -> ModelVersion:
    """The default base version with a real checkpoint and decoder (64 pixels, random weights)."""
    fields, folder = registered_files
    shutil.copytree(folder, storage.root() / "models")
    return ModelVersion.objects.create(**fields)


@pytest.fixture
def fruit(cast, base, monkeypatch):
    """A red example on the first image; two images that wait, with red at the left and at the right."""
    for module in (exemplars, words):
        monkeypatch.setattr(module, "predictor_for", lambda version: Halves())
    first = picture(cast, base, 1, RED, BLUE)
    others = [picture(cast, base, 2, (0.9, 0.1, 0), BLUE), picture(cast, base, 3, BLUE, (0.9, 0.2, 0))]
    example = half(first, LEFT, category="plum")
    Task.objects.filter(image=first).update(state=Task.State.SUBMITTED)
    return SimpleNamespace(first=first, others=others, example=example)
