"""What a text speaks of: the decoder proposes, the encoder of texts and pictures judges what is cut out."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from modelzoo.candidates import Source
from modelzoo.embedding import Embedding
from modelzoo.geometry import Frame
from modelzoo.text.finder import ROOM, Said, TextFinder, cut_out
from tests.modelzoo.test_exemplars import LEAVES, PLUMS, RADIUS, SIDE, KnowsTheDiscs, disc, found_places

PLUM, LEAF, TABLE = (200, 30, 60), (20, 180, 40), (60, 60, 220)
WORDS = {"plum": PLUM, "leaf": LEAF, "background": TABLE, "surface": TABLE}


def towards(colour: np.ndarray) -> np.ndarray:
    away = np.asarray(colour, np.float64) - 128
    return (away / max(np.linalg.norm(away), 1e-9)).astype(np.float32)


class KnowsColours:
    """Texts are the colours of the words in them, pictures their mean colours."""

    scale = 20.0

    def __init__(self) -> None:
        self.said: list[str] = []

    def texts(self, texts):
        self.said += texts
        means = [next((colour for word, colour in WORDS.items() if word in text), (129, 129, 129)) for text in texts]
        return np.stack([towards(mean) for mean in means])

    def pictures(self, pictures):
        return np.stack([towards(np.asarray(one, np.float64).reshape(-1, 3).mean(axis=0)) for one in pictures])


@pytest.fixture
def image() -> np.ndarray:
    pixels = np.full((SIDE, SIDE, 3), TABLE, np.uint8)
    for places, colour in ((PLUMS, PLUM), (LEAVES, LEAF)):
        for place in places:
            pixels[disc(*place)] = colour
    return pixels


@pytest.fixture
def embedding() -> Embedding:
    return Embedding({"map": np.zeros((1, 4, 4), np.float32)}, Frame((SIDE, SIDE), (SIDE, SIDE), (SIDE, SIDE)))


def find(embedding, image, text, others=(), progress=None, clip=None):
    clip = clip or KnowsColours()
    return TextFinder(KnowsTheDiscs(), clip).find(embedding, image, Said.of(clip, text, others), progress)


@pytest.mark.parametrize(("text", "places"), [("a plum", PLUMS), ("leaf", LEAVES)])
def test_a_text_finds_what_it_speaks_of_and_nothing_else(embedding, image, text, places):
    records = find(embedding, image, text)
    assert found_places(records, 0.4) == set(places)
    scores = [record["score"] for record in records]
    assert scores == sorted(scores, reverse=True)
    for record in records:
        assert [prompt["type"] for prompt in record["prompts"]] == ["text", "point"]
        assert record["prompts"][0]["text"] == text


def test_what_is_not_there_is_not_found(embedding, image):
    records = find(embedding, image, "a zebra")
    assert found_places(records, 0.4) == set()


def test_other_names_that_speak_of_it_better_take_it(embedding, image):
    assert found_places(find(embedding, image, "a zebra", others=["plum", "leaf"]), 0.1) == set()


def test_braces_in_a_text_are_only_braces(embedding, image):
    clip = KnowsColours()
    find(embedding, image, "{0.__class__} plum {}", clip=clip)
    assert "a photo of {0.__class__} plum {}." in clip.said


def test_a_stop_is_heard_and_progress_rises(embedding, image):
    heard: list[float] = []
    find(embedding, image, "plum", progress=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1)

    class Stopped(Exception):
        pass

    def stop(share: float) -> None:
        if share > 0.5:
            raise Stopped

    with pytest.raises(Stopped):
        find(embedding, image, "plum", progress=stop)


def test_a_cut_out_is_a_square_around_the_mask_gray_beyond_the_picture(embedding):
    picture = Image.new("RGB", (SIDE, SIDE), (10, 20, 30))
    corner = (4, 64)  # the disc reaches beyond the left edge
    low = np.where(disc(*corner).reshape(32, 4, 32, 4).mean(axis=(1, 3)) > 0.5, 9.0, -9.0).astype(np.float32)
    [one] = Source.of(KnowsTheDiscs(), embedding)._candidate(low, 0.9, {"type": "point"})
    seen = np.asarray(cut_out(one, picture, 0.0))
    height, width, _ = seen.shape
    assert height == width == pytest.approx(ROOM * 2 * RADIUS, abs=8)
    middle = height // 2
    assert tuple(seen[middle, 0]) == (128, 128, 128)  # beside the picture
    assert tuple(seen[middle, middle + 4]) == (10, 20, 30)
    assert 80 < seen[0, -1].min() < 128  # beside the mask
