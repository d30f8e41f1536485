"""Weights go out whole and come back strict; hostile files are refused and never run."""

import pickle
from pathlib import Path

import pytest
import torch

from modelzoo.build import build
from modelzoo.checkpoint import (
    CheckpointError,
    checkpoint_digest,
    load_checkpoint,
    read_metadata,
    save_checkpoint,
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    return build("anymask_compact", long_side=64).eval()


def test_a_checkpoint_comes_back_equal_and_says_what_it_is(model, tmp_path):
    digest = save_checkpoint(model, tmp_path / "model.safetensors", {"note": "licences: CC0"})
    loaded = load_checkpoint(tmp_path / "model.safetensors")
    assert loaded.config == model.config
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    about = read_metadata(tmp_path / "model.safetensors")
    assert about["variant"] == "anymask_compact"
    assert about["metadata"] == {"note": "licences: CC0"}
    assert digest == checkpoint_digest(tmp_path / "model.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_the_same_weights_have_the_same_digest(model, tmp_path):
    assert save_checkpoint(model, tmp_path / "a.safetensors") == save_checkpoint(model, tmp_path / "b.safetensors")


def test_half_precision_halves_the_file_and_barely_moves_the_weights(model, tmp_path):
    save_checkpoint(model, tmp_path / "full.safetensors")
    save_checkpoint(model, tmp_path / "half.safetensors", half=True)
    full, half = (tmp_path / f"{name}.safetensors" for name in ("full", "half"))
    assert half.stat().st_size < 0.55 * full.stat().st_size
    loaded = load_checkpoint(half)
    assert next(loaded.parameters()).dtype == torch.float32
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, atol=1e-3, rtol=1e-3)


class Payload:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_pickle_with_a_payload_is_refused_and_not_run(tmp_path, monkeypatch, suffix):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")  # an attacker's environment must not matter
    marker = tmp_path / "it ran"
    file = tmp_path / f"evil{suffix}"
    file.write_bytes(pickle.dumps(Payload(marker)))
    with pytest.raises(CheckpointError):
        load_checkpoint(file)
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x00" * 64, b"PK\x03\x04 broken"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_that_are_no_checkpoints_get_one_sentence(tmp_path, content, suffix):
    file = tmp_path / f"file{suffix}"
    file.write_bytes(content)
    with pytest.raises(CheckpointError) as refused:
        load_checkpoint(file)
    assert "\n" not in str(refused.value)


def test_a_truncated_checkpoint_is_refused(model, tmp_path):
    save_checkpoint(model, tmp_path / "model.safetensors")
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "model.safetensors")


def test_missing_weights_are_refused(tmp_path):
    state = build("anymask_compact", long_side=64).state_dict()
    state.pop("decoder.output_tokens")
    torch.save(state, tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match="does not fit"):
        load_checkpoint(tmp_path / "model.pth", variant="anymask_compact")


def test_a_failed_write_leaves_the_old_file(model, tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    digest = save_checkpoint(model, path)

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("modelzoo.checkpoint.save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(model, path)
    assert checkpoint_digest(path) == digest
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
