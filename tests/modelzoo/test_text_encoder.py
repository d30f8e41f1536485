"""The text encoder: answers as recorded from the usual implementation, and refuses a folder that does not fit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file

from modelzoo.text.clip import Clip
from modelzoo.text.tokenizer import Tokenizer
from modelzoo.weight_files import CheckpointError

TINY = Path(__file__).parents[1] / "golden" / "tiny_clip"
RECORDED = json.loads((TINY / "recorded.json").read_text())
LENGTH = 20


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Clip.load(TINY)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(TINY, tmp_path / "clip"))


def test_ids_and_vectors_of_texts_are_the_recorded_ones(clip):
    for text, recorded in RECORDED["texts"].items():
        assert clip.tokenizer.ids(text, LENGTH) == recorded["ids"]
        np.testing.assert_allclose(clip.texts([text])[0], recorded["vector"], atol=2e-6)


def test_texts_encoded_together_answer_as_alone(clip):
    texts = list(RECORDED["texts"])
    together = clip.texts(texts)
    for place, text in enumerate(texts):
        np.testing.assert_allclose(together[place], clip.texts([text])[0], atol=2e-6)


def test_the_vector_of_a_picture_is_the_recorded_one(clip):
    pixels = np.random.default_rng(5).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    np.testing.assert_allclose(clip.pictures([Image.fromarray(pixels)])[0], RECORDED["picture"], atol=2e-6)
    assert clip.scale == pytest.approx(RECORDED["scale"], abs=1e-3)


@given(st.text(max_size=200))
def test_any_text_becomes_ids_of_the_vocabulary_between_start_and_end(text):
    tokenizer = Tokenizer.read(TINY)
    ids = tokenizer.ids(text, LENGTH)
    assert 2 <= len(ids) <= LENGTH
    assert (ids[0], ids[-1]) == (tokenizer.vocabulary["<|startoftext|>"], tokenizer.vocabulary["<|endoftext|>"])
    assert all(0 <= one <= tokenizer.most for one in ids)


def test_the_tokenizer_may_come_as_one_file(folder):
    vocabulary = json.loads((folder / "vocab.json").read_text())
    merges = [line for line in (folder / "merges.txt").read_text().splitlines() if not line.startswith("#")]
    for kept in (merges, [line.split() for line in merges]):  # older and newer files
        model = {"type": "BPE", "vocab": vocabulary, "merges": kept}
        (folder / "tokenizer.json").write_text(json.dumps({"model": model}))
        for name in ("vocab.json", "merges.txt"):
            (folder / name).unlink(missing_ok=True)
        text = "It's the red car!"
        assert Tokenizer.read(folder).ids(text, LENGTH) == RECORDED["texts"][text]["ids"]


def test_weights_may_be_linked_to_and_carry_the_positions_of_older_files(folder):
    import torch

    weights = {**load_file(folder / "model.safetensors"), "text_model.embeddings.position_ids": torch.arange(20)[None]}
    (folder / "model.safetensors").unlink()
    save_file(weights, folder / "elsewhere")
    (folder / "model.safetensors").symlink_to("elsewhere")
    text = "a photo of a cat"
    np.testing.assert_allclose(Clip.load(folder).texts([text])[0], RECORDED["texts"][text]["vector"], atol=2e-6)


def without_a_layer(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({name: one for name, one in weights.items() if "text_model.encoder.layers.1" not in name}, folder / "w")
    (folder / "w").replace(folder / "model.safetensors")


def not_finite(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["text_projection.weight"][0, 0] = float("nan")
    save_file(weights, folder / "model.safetensors")


def configured(**changes):
    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        for name, value in changes.items():
            part, _, key = name.partition("__")
            if key:
                config[part][key] = value
            else:
                config[name] = value
        (folder / "config.json").write_text(json.dumps(config))

    return change


def written(name: str, text: str):
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "config.json is missing"),
        (lambda folder: (folder / "merges.txt").unlink(), "merges.txt is missing"),
        (lambda folder: (folder / "model.safetensors").unlink(), "There is no checkpoint at model.safetensors"),
        (written("config.json", "[" * 100_000), "config.json is no JSON"),
        (written("config.json", "[]"), "config.json holds no JSON object"),
        (written("vocab.json", '{"a": -1, "<|startoftext|>": 0, "<|endoftext|>": 1}'), "every token a number"),
        (written("vocab.json", '{"a": 1}'), "it is not one of CLIP"),
        (written("merges.txt", "a b c\n"), "holds something else"),
        (written("model.safetensors", "weights"), "neither a safetensors nor a PyTorch file"),
        (configured(text_config__hidden_size=12), "in another shape"),
        (configured(text_config__hidden_size="16"), "no usable hidden_size"),
        (configured(text_config__num_hidden_layers=100_000), "beyond reason"),
        (configured(vision_config__image_size=100_000), "beyond reason"),
        (configured(vision_config__num_attention_heads=3), "heads do not divide"),
        (configured(text_config__hidden_act="exp"), "an activation"),
        (configured(text_config__vocab_size=100), "more tokens than the text encoder"),
        (configured(projection_dim=True), "dimensions"),
        (configured(vision_config=[]), "no vision_config"),
        (without_a_layer, "it lacks text_model.encoder.layers.1"),
        (not_finite, "not finite"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused_with_a_sentence(folder, spoil, said):
    spoil(folder)
    with pytest.raises(CheckpointError, match=said):
        Clip.load(folder)


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(CheckpointError, match="There is no folder nowhere"):
        Clip.load(tmp_path / "nowhere")
