"""A lone click is answered by one thing: what hangs together under it."""

import numpy as np
import pytest
import torch

from modelzoo.build import build
from modelzoo.lone_click import clicked_part, lone_click
from modelzoo.model.segmenter import Sam
from modelzoo.onnx_decoder import OnnxDecoder
from modelzoo.predictor import Predictor

CLICK = np.array([[3.0, 4.0]])


def two_parts():
    logits = np.full((2, 8, 12), -2.0, np.float32)
    logits[:, 1:4, 1:4] = 3
    logits[:, 4, 4] = 1  # hangs on by its corner
    logits[:, 5:7, 8:11] = 4
    logits[1, 1:4, 1:4] = -1
    logits[1, 4, 4] = -1
    return logits


def test_what_does_not_hang_together_with_the_click_goes():
    logits = two_parts()
    kept = clicked_part(logits, np.array([2.5, 2.5]))
    assert set(zip(*np.nonzero(kept[0] > 0), strict=True)) == {(y, x) for y in (1, 2, 3) for x in (1, 2, 3)} | {(4, 4)}
    assert np.array_equal(np.abs(kept), np.abs(logits))
    assert (logits[0, 5:7, 8:11] == 4).all(), "the input is not written to"


def test_a_mask_that_misses_the_click_stays():
    assert np.array_equal(clicked_part(two_parts(), np.array([2.5, 2.5]))[1], two_parts()[1])


@pytest.mark.parametrize("place", [(0.0, 0.0), (12.0, 8.0), (11.99, 7.99)])
def test_clicks_at_the_very_edge_are_inside(place):
    logits = two_parts()
    logits[:, 0, 0] = logits[:, -1, -1] = 1
    assert (clicked_part(logits, np.array(place))[:, int(place[1] > 4) * -1, int(place[0] > 6) * -1] == 1).all()


@pytest.mark.parametrize(
    ("points", "labels", "box", "mask", "alone"),
    [
        (CLICK, [1.0], None, None, True),
        (CLICK, [0.0], None, None, False),
        (np.repeat(CLICK, 2, 0), [1.0, 1.0], None, None, False),
        (CLICK, [1.0], np.array([1, 1, 5, 5]), None, False),
        (CLICK, [1.0], None, np.zeros((1, 4, 4)), False),
        (np.zeros((0, 2)), [], np.array([1, 1, 5, 5]), None, False),
    ],
    ids=["one click", "one that takes away", "two clicks", "with a box", "with a mask", "a box"],
)
def test_only_a_click_without_company_is_alone(points, labels, box, mask, alone):
    found = lone_click(points, np.array(labels), box, mask)
    assert (found is not None) == alone
    if alone:
        assert found.tolist() == CLICK[0].tolist()


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Both decoders of a model whose every answer is two parts, left and right, at stride 4 of 96 x 64."""
    from modelzoo.export import export_decoder

    torch.manual_seed(0)
    model = build("anymask_compact", long_side=96)
    path = tmp_path_factory.mktemp("decoder") / "decoder.onnx"
    export_decoder(model, path)
    image = np.random.default_rng(0).integers(0, 256, (128, 192, 3), dtype=np.uint8)
    predictor, onnx = Predictor(model), OnnxDecoder(path)
    return predictor, onnx, predictor.encode(image)


def halves(logits):
    wide = np.full(logits.shape, -5, np.float32)
    wide[..., 4:-4, 2:8] = wide[..., 4:-4, -8:-2] = 5
    return wide


def test_torch_and_onnx_both_keep_the_clicked_part(everything, monkeypatch):
    predictor, onnx, embedding = everything
    decode, run = predictor.model.decode, onnx.session.run

    def decode_halves(*arguments, **prompts):
        logits, ious = decode(*arguments, **prompts)
        return torch.from_numpy(halves(logits.numpy())), ious

    monkeypatch.setattr(predictor.model, "decode", decode_halves)

    class Session:
        def run(self, *arguments):
            logits, ious = run(*arguments)
            return halves(logits), ious

    monkeypatch.setattr(onnx, "session", Session())
    left, right = np.array([[40.0, 64.0]]), np.array([[152.0, 64.0]])
    for decoder in (predictor, onnx):
        alone = decoder.decode(embedding, left, np.array([1]))
        assert alone.masks[:, 64, 40].all()
        assert not alone.masks[:, :, 96:].any()
        assert (alone.low_res_logits[..., 12:] < 0).all(), "the next click starts from what was shown"
        both = decoder.decode(embedding, np.concatenate([left, right]), np.array([1, 1]), multimask=False)
        assert both.masks[0, 64, 40]
        assert both.masks[0, 64, 152]


def test_sam_keeps_all_parts_as_the_reference_does():
    assert not Sam.one_part
