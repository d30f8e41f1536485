"""What the trainer is told: how views are mixed, how long, in how many processes; and what guards its limits."""

from __future__ import annotations

import tomllib

import pytest

from annotation.errors import UserError
from engine import child, trainer
from engine.models import RetrainingPlan, TrainingRun
from engine.plans import memory_limit, plan_of, view_mix
from engine.snapshots import snapshot_freeze
from tests.cast import add_image, add_mask, ellipse


@pytest.fixture
def run(cast, base, monkeypatch):
    """A run on a snapshot of two human and four automatic masks."""
    monkeypatch.setattr("modelzoo.checkpoint.read_metadata", lambda path: {"config": {"long_side": 64}})
    image = add_image(cast.dataset, split="train")
    for place in range(2):
        add_mask(image, ellipse(image, x=0.2 + place / 2, size=0.1))
    for place in range(4):
        fields = {"stage": "fully_automatic", "source": "model", "created_by": None}
        add_mask(image, ellipse(image, x=0.1 + place / 5, y=0.8, size=0.1), **fields)
    snapshot = snapshot_freeze(dataset=cast.dataset)
    return TrainingRun.objects.create(dataset=cast.dataset, trigger="person", base=base, seed=7, snapshot=snapshot)


def written(run, tmp_path) -> dict:
    trainer.run_plan(run, run.snapshot)
    trainer.config_write(tmp_path / "config.toml", run, run.snapshot)
    return tomllib.loads((tmp_path / "config.toml").read_text())


def test_masks_by_people_weigh_ten_times_as_much(run, tmp_path):
    config = written(run, tmp_path)
    people, automatic = (source["weight"] for source in config["data"])
    # Two masks by people against four that count a tenth.
    assert automatic / people == pytest.approx(0.1 * 4 / 2)
    assert people + automatic + config["synthetic"] == pytest.approx(1)
    assert run.mix == {"people": people, "automatic": automatic, "synthetic": 0.2}


def test_however_many_the_machine_makes_they_never_outweigh_people():
    plan = RetrainingPlan(automatic_weight=1.0, synthetic_share=0.0)
    assert view_mix(plan, people=10, automatic=1_000_000) == {"people": 0.5, "automatic": 0.5, "synthetic": 0.0}


def test_a_weight_of_nothing_leaves_automatic_masks_out(run, cast, tmp_path):
    RetrainingPlan.objects.create(dataset=cast.dataset, automatic_weight=0, synthetic_share=0.5)
    config = written(run, tmp_path)
    assert [source["path"].rsplit("/", 1)[1] for source in config["data"]] == ["train"]
    assert config["synthetic"] == 0.5


def test_the_plan_of_the_dataset_goes_before_the_installation(run, cast, settings, tmp_path):
    settings.ANYMASK_TRAIN_MINUTES, settings.ANYMASK_TRAIN_STEPS = 4, 0
    RetrainingPlan.objects.create(dataset=cast.dataset, minutes=9, steps=50)
    config = written(run, tmp_path)
    assert (config["minutes"], config["steps"], config["clock"]) == (9, 50, "steps")


def test_without_steps_the_minutes_are_the_limit(run, settings, tmp_path):
    settings.ANYMASK_TRAIN_MINUTES, settings.ANYMASK_TRAIN_STEPS = 30, 0
    config = written(run, tmp_path)
    assert (config["minutes"], config["clock"], config["steps"]) == (30, "seconds", trainer.MOST_STEPS)
    assert config["validation_every"] == 225
    assert config["checkpoint_every"] <= 15


def test_a_later_attempt_goes_on_with_what_the_first_was_told(run, cast, tmp_path):
    first = written(run, tmp_path)
    RetrainingPlan.objects.create(dataset=cast.dataset, minutes=99, automatic_weight=0)
    run.refresh_from_db()
    assert written(run, tmp_path) == first


def test_without_a_single_mask_by_people_there_is_nothing_to_learn(run, tmp_path):
    run.snapshot.counts["train"]["masks"] = 0
    with pytest.raises(UserError) as refusal:
        written(run, tmp_path)
    assert refusal.value.code == "not_enough_masks"


def test_one_process_or_one_for_each_gpu(settings, tmp_path):
    config = tmp_path / "config.toml"
    assert trainer.command(config, trainer.processes(0)) == ["modelzoo", "train", str(config)]
    assert trainer.processes(1) == 1
    several = trainer.command(config, trainer.processes(4))
    assert several[0] == "torch.distributed.run"
    assert several[several.index("--nproc-per-node") + 1] == "4"
    assert several[-6:] == ["engine.guarded", "-", "-", "modelzoo", "train", str(config)]
    settings.ANYMASK_TRAIN_PROCESSES = 2
    assert (trainer.processes(0), trainer.processes(8)) == (2, 2)


def test_the_memory_limit_is_the_setting_or_most_of_the_machine(settings):
    settings.ANYMASK_TRAIN_MEMORY_BYTES = 123
    assert memory_limit() == 123
    settings.ANYMASK_TRAIN_MEMORY_BYTES = 0
    assert 0 < memory_limit() < child.memory_here()


def test_what_is_replayed_against_forgetting(cast, run):
    """Every snapshot holds the masks of all earlier ones; synthetic views are drawn besides unless a lead says no."""
    before = {serial for row in run.snapshot.images.all() for part in row.parts.values() for serial in part}
    add_mask(add_image(cast.dataset, seed=3, split="train"))
    after = snapshot_freeze(dataset=cast.dataset)
    assert before < {serial for row in after.images.all() for part in row.parts.values() for serial in part}
    assert view_mix(plan_of(cast.dataset.pk), people=1, automatic=0)["synthetic"] > 0


class Job:
    """Stands for a job's context: nobody cancels, everything is written down."""

    attempt = 2

    def __init__(self):
        self.lines = []

    def check_cancelled(self):
        pass

    def progress(self, share, message=""):
        self.lines.append(message)

    def log(self, text):
        self.lines.append(text)


@pytest.mark.parametrize("reason", ["CUDA out of memory. Tried to allocate 2 GiB", "MemoryError", "held too much"])
def test_a_trainer_without_memory_says_so_with_its_code(run, tmp_path, monkeypatch, reason):
    kind = child.ChildOutOfMemory if reason == "held too much" else child.ChildFailed

    def fail(*args, **options):
        raise kind(reason)

    monkeypatch.setattr(child, "run_child", fail)
    written(run, tmp_path)
    with pytest.raises(UserError) as refusal:
        trainer.trainer_run(run, tmp_path, Job(), share=(0, 1), carry=lambda: None)
    assert refusal.value.code == "training_out_of_memory"
    assert "ANYMASK_TRAIN_MEMORY_MIB" in refusal.value.message
