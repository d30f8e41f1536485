"""Weights made elsewhere in the product: verified first, registered with licence and origin, put into service."""

from __future__ import annotations

import io

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from annotation import storage
from annotation.errors import UserError
from annotation.models import Job
from engine import embeddings
from engine.models import ModelVersion, Promotion
from engine.segmenter import OnnxSegmenter
from engine.serving import (
    base_model_register,
    decoder_parts,
    outside_model_register,
    predictor_for,
    serving_version,
)

POINT = {"points": np.array([[30.5, 20.0]], np.float32), "labels": np.ones(1, np.float32), "box": None}


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """An empty folder for fetched weights."""
    folder = tmp_path / "fetched"
    folder.mkdir()
    monkeypatch.setenv("ANYMASK_WEIGHTS", str(folder))
    return folder


@pytest.fixture
def small_mobile_sam(monkeypatch):
    """The registry builds a MobileSAM of 64 pixels where it would build the published one; returns such a model."""
    torch = pytest.importorskip("torch")
    from modelzoo import build as registry
    from modelzoo.model import segmenter

    config = segmenter.sam_config("mobile_sam", segmenter.tiny_vit_config())
    config["image_encoder"] |= {
        "img_size": 64,
        "embed_dims": [8, 16, 16, 16],
        "num_heads": [1, 1, 1, 1],
        "depths": [1] * 4,
    }
    config["image_encoder"] |= {"num_classes": 3, "out_chans": 32}
    config["prompt_encoder"] |= {"embed_dim": 32, "image_embedding_size": [4, 4], "input_image_size": [64, 64]}
    config["mask_decoder"] |= {"transformer_dim": 32, "iou_head_hidden_dim": 16}
    config["mask_decoder"]["transformer"] |= {"embedding_dim": 32, "mlp_dim": 32, "num_heads": 2}
    monkeypatch.setitem(registry.BUILDERS, "mobile_sam", lambda: segmenter.build_sam(config))
    torch.manual_seed(11)
    return registry.build("mobile_sam")


@pytest.fixture
def mobile_file(small_mobile_sam, weights, monkeypatch):
    """The file that `fetch mobile_sam` would have left, known to the catalogue by its digest."""
    import dataclasses

    import torch

    from modelzoo.catalogue import CATALOGUE

    path = weights / "mobile_sam.pt"
    torch.save(small_mobile_sam.state_dict(), path)
    known = dataclasses.replace(CATALOGUE["mobile_sam"], sha256=storage.sha256_of(path))
    monkeypatch.setitem(CATALOGUE, "mobile_sam", known)
    return path


def run(*arguments, **options):
    out = io.StringIO()
    call_command("add_model", *arguments, stdout=out, **options)
    return out.getvalue()


def refused(code, **given):
    with pytest.raises(UserError) as error:
        outside_model_register(**given)
    assert error.value.code == code
    assert not ModelVersion.objects.exists()
    return error.value.message


def test_a_published_model_is_registered_with_licence_and_origin(db, mobile_file):
    said = run("mobile_sam")
    version = ModelVersion.objects.get()
    assert (version.variant, version.digest, version.is_default) == (
        "mobile_sam",
        storage.sha256_of(mobile_file),
        False,
    )
    assert version.origin["licence"] == "Apache-2.0"
    assert version.origin["url"].startswith("https://")
    assert storage.full(version.checkpoint_path).read_bytes() == mobile_file.read_bytes()
    assert "Apache-2.0" in said
    assert "MobileSAM" in said
    assert run("mobile_sam") == said
    assert ModelVersion.objects.count() == 1


def test_put_into_service_it_prepares_pictures_and_answers_clicks(cast, image, real_base, mobile_file):
    assert "serves Fruit now" in run("mobile_sam", dataset="Fruit")
    version = serving_version(cast.dataset.pk)
    assert version.variant == "mobile_sam"
    assert Promotion.objects.get().from_version == real_base
    row = embeddings.image_embed(image=image, version=version)
    assert row.layout == [{"name": "image_embeddings", "shape": [32, 4, 4]}]
    answer = OnnxSegmenter().predict(image.pk, **POINT, mask_input=None)
    expected = predictor_for(version).decode(OnnxSegmenter()._embedding(row, version), **POINT)
    assert answer.model == version.digest
    assert answer.masks.shape == (3, image.height, image.width)
    assert (answer.masks != expected.masks).mean() < 0.001
    assert "is the serving model already" in run("mobile_sam", dataset="Fruit")


def test_its_decoder_comes_in_parts_which_older_versions_get_when_they_are_named_again(db, mobile_file):
    version = outside_model_register(source="mobile_sam")
    parts = decoder_parts(version)
    assert list(parts) == ["views", "prompts"]
    storage.full(parts["views"]).unlink()
    assert decoder_parts(version) == {}
    assert outside_model_register(source="mobile_sam") == version
    assert decoder_parts(version) == parts


def test_preparing_a_new_release_makes_what_versions_in_service_lack(cast, real_base, mobile_file):
    run("mobile_sam", dataset="Fruit")
    parts = decoder_parts(serving_version(cast.dataset.pk))
    storage.full(parts["prompts"]).unlink()
    call_command("prepare", stdout=io.StringIO())
    assert decoder_parts(serving_version(cast.dataset.pk)) == parts


def test_so_it_does_for_the_default_model_whose_decoder_comes_as_weights(real_base, small_model, settings):
    settings.ANYMASK_MODEL = str(small_model / "model.safetensors")
    parts = decoder_parts(real_base)
    assert list(parts) == ["weights"]
    storage.full(parts["weights"]).unlink()
    assert decoder_parts(real_base) == {}
    call_command("prepare", stdout=io.StringIO())
    assert decoder_parts(real_base) == parts


def test_a_damaged_version_in_service_does_not_keep_a_release_from_starting(cast, real_base, mobile_file, caplog):
    run("mobile_sam", dataset="Fruit")
    version = serving_version(cast.dataset.pk)
    storage.full(decoder_parts(version)["prompts"]).unlink()
    storage.full(version.checkpoint_path).write_bytes(b"cut off")
    call_command("prepare", stdout=io.StringIO())
    assert decoder_parts(version) == {}
    assert "stays whole" in caplog.text


def test_parts_that_disagree_with_the_model_are_left_out_and_the_model_stays(db, mobile_file, monkeypatch):
    def differ(*given):
        raise RuntimeError("The decoder's parts differ from the model by 1 logits.")

    monkeypatch.setattr("modelzoo.export.check_parts", differ)
    assert decoder_parts(outside_model_register(source="mobile_sam")) == {}


def test_its_lead_sees_where_it_comes_from_and_goes_back_by_one_click(cast, as_, real_base, mobile_file):
    run("mobile_sam", dataset="Fruit")
    rows = {row["variant"]: row for row in as_(cast.ana).get(f"/api/datasets/{cast.dataset.pk}/models/").json()}
    assert rows["mobile_sam"]["serving"] is True
    assert rows["mobile_sam"]["origin"]["licence"] == "Apache-2.0"
    as_(cast.ana).post(f"/api/datasets/{cast.dataset.pk}/models/{real_base.digest}/restore/")
    assert serving_version(cast.dataset.pk) == real_base


def test_it_can_be_what_every_dataset_starts_with(db, mobile_file):
    version = base_model_register(checkpoint=mobile_file)
    assert (version.variant, version.is_default) == ("mobile_sam", True)
    assert version.origin["licence"] == "Apache-2.0"
    assert base_model_register(checkpoint=mobile_file) == version


def test_another_file_under_the_published_name_is_not_opened(db, mobile_file, monkeypatch):
    def opened(*_):
        raise AssertionError("the file was opened")

    monkeypatch.setattr("modelzoo.checkpoint.load_checkpoint", opened)
    mobile_file.write_bytes(mobile_file.read_bytes() + b"more")
    assert "SHA-256" in refused("wrong_digest", source="mobile_sam")
    refused("wrong_digest", source=str(mobile_file), sha256="0" * 64)


def test_a_pytorch_file_that_nobody_vouches_for_needs_its_digest(db, small_mobile_sam, tmp_path):
    import torch

    path = tmp_path / "own.pth"
    torch.save(small_mobile_sam.state_dict(), path)
    assert "SHA-256" in refused("digest_needed", source=str(path))
    version = outside_model_register(source=str(path), sha256=storage.sha256_of(path).upper(), licence="CC BY 4.0")
    assert (version.name, version.origin) == ("own", {"file": "own.pth", "licence": "CC BY 4.0"})


def test_our_own_files_need_none(db, small_model):
    version = outside_model_register(source=str(small_model / "model.safetensors"), name="Trained on the other server")
    assert (version.name, version.variant) == ("Trained on the other server", "anymask_compact")


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04" + b"\0" * 50])
def test_what_is_no_model_is_said_in_one_sentence_and_leaves_nothing(db, tmp_path, content):
    path = tmp_path / "file.pth"
    path.write_bytes(content)
    assert "file.pth" in refused("bad_weights", source=str(path), sha256=storage.sha256_of(path))
    assert not (storage.root() / "models").exists()


def test_mistakes_of_the_command_are_sentences(db, weights):
    for arguments, options, told in (
        (["mobile_sam"], {}, "fetch mobile_sam"),
        (["nothing.pth"], {}, "no weights"),
        (["mobile_sam"], {"dataset": "Nowhere"}, "no dataset 'Nowhere'"),
    ):
        with pytest.raises(CommandError, match=told):
            run(*arguments, **options)


@pytest.mark.slow
def test_the_whole_way_at_full_size(cast, image, real_base, weights, django_capture_on_commit_callbacks):
    """Random weights in MobileSAM's official layout: registered, a picture encoded at 1024 pixels, a click answered."""
    import torch

    from modelzoo.build import build

    torch.manual_seed(12)
    path = weights / "full.pt"
    torch.save(build("mobile_sam").state_dict(), path)
    with django_capture_on_commit_callbacks(execute=True):
        said = run(str(path), sha256=storage.sha256_of(path), licence="none: random weights", dataset="Fruit")
    assert "(mobile_sam," in said
    assert Job.objects.filter(kind="rebuild_embeddings").exists()
    version = serving_version(cast.dataset.pk)
    row = embeddings.image_embed(image=image, version=version)
    assert (row.layout[0]["shape"], row.byte_size) == ([256, 64, 64], 2 * 256 * 64 * 64)
    answer = OnnxSegmenter().predict(image.pk, **POINT, mask_input=None)
    assert answer.masks.shape == (3, image.height, image.width)
    assert np.isfinite(answer.iou_predictions).all()
