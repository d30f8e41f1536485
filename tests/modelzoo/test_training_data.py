"""Reading labelled folders for training and evaluation."""

import dataclasses
import json

import numpy as np
import pytest

from modelzoo import rle
from modelzoo.__main__ import main
from modelzoo.training import batches as making
from modelzoo.training.batches import Batches, covered_share, load_corpus
from modelzoo.training.config import ConfigError, DataSource, TrainConfig, read_config, read_stages
from modelzoo.training.data import DataError, load_sample, read_coco, read_sa1b, split_off
from modelzoo.training.loop import validation_samples
from modelzoo.training.synthetic import scene as synthetic_scene
from modelzoo.training.views import LEAST_AREA, crop_window
from tests.modelzoo.scenes import scene, write_coco


def test_coco_folders_come_back_as_they_were_drawn(tmp_path):
    records = read_coco(write_coco(tmp_path / "set"))
    assert len(records) == 4
    sample = load_sample(records[0])
    image, masks = scene(1)
    assert np.array_equal(sample.image, image)
    assert all(np.array_equal(rle.decode(found), mask) for found, mask in zip(sample.masks, masks, strict=True))


def test_only_the_named_licences_are_read(tmp_path):
    folder = write_coco(tmp_path / "set")
    assert len(read_coco(folder, licences=("CC0",))) == 4
    assert read_coco(folder, licences=("MIT",)) == []


def test_sa1b_folders_are_read_and_manifests_passed_over(tmp_path):
    image, masks = scene()
    from PIL import Image

    Image.fromarray(image).save(tmp_path / "sa_1.png")
    record = {
        "image": {"image_id": 1, "width": 128, "height": 96, "file_name": "sa_1.png"},
        "annotations": [{"id": 7, "segmentation": rle.encode(masks[0])}],
    }
    (tmp_path / "sa_1.json").write_text(json.dumps(record))
    (tmp_path / "manifest.json").write_text("{}")
    [found] = read_sa1b(tmp_path)
    assert (found.ids, found.group) == (["7"], "sa_1.png")
    assert [record.group for record in read_sa1b(tmp_path, {"1": "a video"})] == ["a video"]
    assert np.array_equal(rle.decode(found.masks[0]), masks[0])


def test_a_broken_mask_is_named(tmp_path):
    folder = write_coco(tmp_path / "set")
    document = json.loads((folder / "annotations.json").read_text())
    document["annotations"][2]["segmentation"]["counts"] = "5"
    (folder / "annotations.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="annotation 3"):
        read_coco(folder)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../b.png"])
def test_names_never_lead_out_of_the_folder(tmp_path, name):
    folder = write_coco(tmp_path / "set")
    document = json.loads((folder / "annotations.json").read_text())
    document["images"][0]["file_name"] = name
    (folder / "annotations.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="outside its folder"):
        read_coco(folder)


def test_a_group_never_stands_on_both_sides_of_a_split(tmp_path):
    folder = write_coco(tmp_path / "set", count=12)
    document = json.loads((folder / "annotations.json").read_text())
    for number, image in enumerate(document["images"]):
        image["sequence"] = f"video {number // 3}"
    (folder / "annotations.json").write_text(json.dumps(document))
    training, validation = split_off(read_coco(folder), 0.4)
    assert len(training) + len(validation) == 12
    assert not {record.group for record in training} & {record.group for record in validation}


def test_a_step_is_the_same_batch_whoever_makes_it(tmp_path):
    source = DataSource(write_coco(tmp_path / "set", count=6))
    config = TrainConfig(out=tmp_path, data=(source,), batch=2, prompts=3, long_sides=(64,), steps=10)
    first, second = (Batches(config, load_corpus(config))[4] for _ in range(2))
    assert first.pixels.equal(second.pixels)
    assert first.points.equal(second.points)
    assert not Batches(config, load_corpus(config))[5].pixels.equal(first.pixels)


def test_processes_share_the_size_and_the_rounds_of_a_step_but_not_its_pictures(tmp_path):
    source = DataSource(write_coco(tmp_path / "set", count=6))
    config = TrainConfig(out=tmp_path, data=(source,), batch=2, prompts=3, long_sides=(64,), steps=10)
    batches = Batches(config, load_corpus(config), world=2)
    first, second = batches[6], batches[7]
    assert len(batches) == 20
    assert (first.pixels.shape, first.rounds) == (second.pixels.shape, second.rounds)
    assert not first.pixels.equal(second.pixels)


def write_specks(folder, side, number=20, size=(1500, 2000)):
    """A folder in COCO style: one large picture of `number` squares of `side` pixels, far from one another."""
    from PIL import Image

    (folder / "images").mkdir(parents=True)
    random = np.random.default_rng(5)
    image = random.integers(0, 60, (*size, 3), dtype=np.uint8)
    annotations = []
    for index in range(number):
        mask = np.zeros(size, bool)
        top, left = 40 + index // 5 * 350, 40 + index % 5 * 390
        mask[top : top + side, left : left + side] = True
        image[mask] = 220
        annotations.append({"id": index + 1, "image_id": 1, "category_id": 1, "segmentation": rle.encode(mask)})
    Image.fromarray(image).save(folder / "images" / "specks.png")
    images = [{"id": 1, "file_name": "specks.png", "height": size[0], "width": size[1]}]
    (folder / "annotations.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return folder


def test_small_objects_of_a_large_picture_are_looked_at_closely_enough_to_learn(tmp_path):
    """11 pixels of 2000 are two of a view of 256, which is less than a click can mean."""
    source = DataSource(write_specks(tmp_path / "set", side=11))
    config = TrainConfig(out=tmp_path, data=(source,), batch=1, prompts=2, long_sides=(256,), steps=9, synthetic=0.0)
    corpus = load_corpus(dataclasses.replace(config, validation=(source,)))
    for number in range(3):
        cover = Batches(config, corpus)[number].targets.sum((1, 2, 3))
        assert (cover >= making.SMALLEST).all()


def test_a_crop_round_a_large_mask_stays_as_wide_as_it_was_drawn(tmp_path):
    [record, *_] = read_coco(write_coco(tmp_path / "set"))
    for seed in range(50):
        (left, top, right, bottom), small = crop_window(record, (96, 128), np.random.default_rng(seed))
        assert small is None
        assert (right - left) * (bottom - top) >= 0.12 * record.width * record.height


def test_a_narrowed_crop_holds_its_mask_large_enough(tmp_path):
    [record] = read_coco(write_specks(tmp_path / "set", side=11))
    narrowed = 0
    for seed in range(50):
        (left, top, right, bottom), small = crop_window(record, (192, 256), np.random.default_rng(seed))
        if small is not None:
            narrowed += 1
            x, y, w, h = rle.bbox(record.masks[small])
            assert left <= x < x + w <= right
            assert top <= y < y + h <= bottom
            assert rle.area(record.masks[small]) * (256 / (right - left)) ** 2 >= LEAST_AREA
    assert narrowed > 10


@pytest.mark.parametrize("synthetic", [0.0, 0.5])
def test_pictures_that_teach_nothing_are_said_not_waited_for(tmp_path, monkeypatch, synthetic):
    """Nor do synthetic scenes take their place: the run would end with nothing learnt of the pictures."""
    monkeypatch.setattr(making, "MOST_REFUSED", 5)
    source = DataSource(write_specks(tmp_path / "set", side=2))
    config = TrainConfig(out=tmp_path, data=(source,), batch=4, long_sides=(256,), synthetic=synthetic)
    batches = Batches(config, load_corpus(dataclasses.replace(config, validation=(source,))))
    with pytest.raises(DataError, match="No mask can be learnt from in views of"):
        batches[0]


def test_what_stops_a_process_that_makes_views_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(making, "MOST_REFUSED", 5)
    write_specks(tmp_path / "set", side=2)
    source = 'path = "set"\n'
    (tmp_path / "train.toml").write_text(
        f'out = "run"\nsynthetic = 0.0\nlong_sides = [64]\n[[data]]\n{source}[[validation]]\n{source}'
    )
    assert main(["train", str(tmp_path / "train.toml")]) == 2
    told = capsys.readouterr().err
    assert told.startswith("No mask can be learnt from in views of")
    assert told.count("\n") == 1


def test_validation_looks_all_over_its_pictures(tmp_path):
    records = read_coco(write_coco(tmp_path / "set", count=11))
    looked = [sample.ids[0].split(":")[0] for sample in validation_samples(records, 6)]
    assert looked == [f"scene_{number}.png" for number in (1, 3, 5, 7, 9, 11)]
    assert len(validation_samples(records, 100)) == 11
    assert validation_samples([], 6) == []


def test_a_schedule_replaces_settings_and_an_unknown_one_is_refused(tmp_path):
    file = tmp_path / "train.toml"
    file.write_text('out = "run"\nsteps = 9\n[schedules.gpu]\nsteps = 70\n')
    assert read_config(file).steps == 9
    assert read_config(file, "gpu").steps == 70
    with pytest.raises(ConfigError, match="It has: gpu"):
        read_config(file, "tpu")


def test_a_run_may_build_on_the_run_of_another_file(tmp_path):
    (tmp_path / "first.toml").write_text('out = "one"\n')
    (tmp_path / "second.toml").write_text('out = "two"\ninit = "first.toml"\n')
    first, second = read_stages(tmp_path / "second.toml")
    assert first.init is None
    assert second.init == tmp_path / "one" / "model.safetensors"


def test_cover_is_the_share_of_each_cell():
    mask = np.zeros((8, 8), bool)
    mask[:4, :2] = True
    assert covered_share(mask).tolist() == [[0.5, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("seed", range(12))
def test_synthetic_scenes_hold_masks_of_their_own_size(seed):
    image, masks = synthetic_scene(64, 96, np.random.default_rng(seed))
    assert image.shape == (64, 96, 3)
    assert image.dtype == np.uint8
    assert masks
    assert all(mask.shape == (64, 96) and mask.dtype == bool and mask.any() for mask in masks)


def test_unknown_settings_are_refused(tmp_path):
    (tmp_path / "train.toml").write_text('out = "run"\nlerning_rate = 1\n')
    with pytest.raises(ConfigError, match="lerning_rate"):
        read_config(tmp_path / "train.toml")


def test_a_run_without_data_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="Nothing to train on"):
        TrainConfig(out=tmp_path, synthetic=0.0)
