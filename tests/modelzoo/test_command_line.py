"""python -m modelzoo, as a person types it."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from modelzoo import rle
from modelzoo.__main__ import main
from modelzoo.build import build
from modelzoo.checkpoint import save_checkpoint
from tests.modelzoo.scenes import scene, write_coco


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(2)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(build("anymask_compact", long_side=64), path)
    return str(path)


def test_evaluate_writes_every_promised_figure(tmp_path, weights):
    folder = write_coco(tmp_path / "set", count=2)
    report = tmp_path / "report.json"
    arguments = ["--images", str(folder / "images"), "--coco", str(folder / "annotations.json"), "--processes", "1"]
    assert main(["evaluate", "--model", weights, "--max-clicks", "5", "--out", str(report), *arguments]) == 0
    found = json.loads(report.read_text())
    figures = "masks miou_1 miou_1_oracle miou_3 miou_5 miou_box noc85 noc90 encoder_ms decoder_ms"
    promised = set(figures.split())
    assert promised <= set(found)
    assert found["masks"] == 4
    assert found["encoder_ms"] > 0


def test_evaluate_writes_a_report_with_pictures(tmp_path, weights, capsys):
    folder = write_coco(tmp_path / "scenes", count=2)
    arguments = ["--model", weights, "--model", weights, "--max-clicks", "5", "--processes", "1", "--most-masks", "3"]
    assert main(["evaluate", "--data", str(folder), "--out", str(tmp_path / "report"), *arguments]) == 0
    assert {path.name for path in (tmp_path / "report").iterdir()} == {
        "report.json",
        "report.md",
        "calibration.png",
        "worst.png",
    }
    shown = capsys.readouterr()
    assert "| tiny (2) |" in shown.out
    assert "pictures" in shown.err
    found = json.loads((tmp_path / "report" / "report.json").read_text())
    assert [model["name"] for model in found["about"]["models"]] == ["tiny", "tiny (2)"]
    assert found["sets"]["scenes"]["masks"] == 3
    assert found["sets"]["scenes"]["methods"]["tiny (2)"]["ahead"]["miou_1"]["value"] == 0


def test_segment_writes_one_sa1b_record(tmp_path, weights):
    image, _ = scene()
    Image.fromarray(image).save(tmp_path / "picture.png")
    arguments = ["--points-per-side", "4", "--pred-iou-thresh", "0", "--stability-score-thresh", "0"]
    assert main(["segment", str(tmp_path / "picture.png"), "--out", str(tmp_path), "--model", weights, *arguments]) == 0
    record = json.loads((tmp_path / "picture.json").read_text())
    assert record["image"]["width"] == 128
    for annotation in record["annotations"]:
        rle.validate(annotation["segmentation"], 96, 128)


def test_export_writes_a_decoder_and_small_weights(tmp_path, weights, capsys):
    assert main(["export", "--model", weights, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "anymask_compact.safetensors").stat().st_size < 0.55 * Path(weights).stat().st_size
    assert (tmp_path / "anymask_compact.decoder.onnx").stat().st_size > 100_000
    assert "sha256" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["export", "--out", ".", "--model", "nothing"], "no weights called 'nothing'"),
        (["segment", "x.png", "--out", "."], "no file x.png"),
        (["train", "missing.toml"], "Cannot read"),
        (["evaluate", "--out", "x"], "Say what to judge on"),
        (["evaluate", "--out", "x", "--images", "."], "Say what to judge on"),
        (["evaluate", "--out", "x", "--data", "nowhere"], "Cannot read"),
        (["evaluate", "--out", "x", "--data", ".", "--max-clicks", "3"], "At least 5 clicks"),
        (["evaluate", "--out", "x", "--data", ".", "--most-masks", "-1"], "cannot be negative"),
        (["evaluate", "--out", "x", "--data", ".", "--validation-of", "missing.toml"], "Cannot read"),
    ],
)
def test_mistakes_are_said_in_one_sentence(capsys, arguments, sentence):
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err
