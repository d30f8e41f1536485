"""The training loop: interactive prompts, losses of SAM, EMA, resumable. `train` reads top to bottom.

The same loop makes the shipped model and retrains it on what a team has labelled.
"""

from __future__ import annotations

import copy
import ctypes
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modelzoo.build import build
from modelzoo.checkpoint import load_checkpoint, load_training_state, save_checkpoint, save_training_state
from modelzoo.model.compact_decoder import answered, several_prompts
from modelzoo.model.compact_encoder import freeze_batch_norm, image_tensor
from modelzoo.predictor import Predictor
from modelzoo.training import clicks
from modelzoo.training.batches import Batch, Corpus, batch_loader, cell_place, load_corpus
from modelzoo.training.config import WEIGHTS_FILE, ConfigError, TrainConfig, as_json
from modelzoo.training.data import Record, Sample, load_sample, spread
from modelzoo.training.devices import Devices, join
from modelzoo.training.evaluate import evaluate
from modelzoo.training.losses import interactive_loss, true_iou

STATE_FILE, RESULT_FILE, PROGRESS_FILE = "state.pt", "result.json", "progress.jsonl"
Progress = Callable[[Mapping[str, Any]], None]


@dataclass
class Run:
    """Everything that changes while a run goes on."""

    model: Any
    ema: Any
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0  # spent training, over all restarts
    best: float = -1.0
    since_best: int = 0
    judged: int = -1  # step of the last validation
    before: float = 0.0  # `seconds` a step ago

    def ends(self, period: int, config: TrainConfig) -> bool:
        """Whether this step ends a period of so many steps, or seconds, as `config.clock` says."""
        if config.clock == "steps":
            return self.step % period == 0
        return self.seconds // period > self.before // period


def train(config: TrainConfig, progress: Progress | None = None) -> dict[str, Any]:
    """Train as the configuration says; go on where an earlier run in the same `out` stopped.

    Writes progress.jsonl, state.pt, model.safetensors (EMA weights) and result.json into `config.out`, calls
    `progress` with every line of progress.jsonl, and returns what result.json holds. Under `torchrun` the processes
    share the work and the first one writes.
    """
    keep_freed_memory()
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    devices = join()
    config.out.mkdir(parents=True, exist_ok=True)
    corpus = load_corpus(config)
    run = start_or_resume(config, devices)
    report = Reporter(config, progress if devices.first else None, writes=devices.first)
    images = {"training_images": len(corpus.training), "validation_images": len(corpus.validation)}
    report(run, "start", images)
    stopped, started = "steps", time.monotonic() - run.seconds
    for batch in batch_loader(config, corpus, run.step, devices.rank, devices.world):
        figures = train_step(run, batch, config, devices)
        run.step += 1
        # The learning rate follows the clock: one clock for all, or their weights drift apart.
        run.before, run.seconds = run.seconds, devices.of_first(time.monotonic() - started)
        report.collect(figures)
        if run.ends(config.report_every, config):
            report(run, "step", report.averages())
        if devices.first and run.ends(config.validation_every, config):
            validate(run, corpus, config, report)
        if devices.first and run.ends(config.checkpoint_every, config):
            save_run(run, config)
        reason = stop_reason(run, config)
        if devices.of_first(bool(reason)):
            stopped = reason or "time"
            break
    result = finish(run, config, corpus, report, stopped) if devices.first else {}
    devices.leave()
    return result


def stop_reason(run: Run, config: TrainConfig) -> str:
    """Why the run should end before its last step, or nothing."""
    if config.minutes and run.seconds > config.minutes * 60:
        return "time"
    if config.patience and run.since_best >= config.patience:
        return "patience"
    return ""


def train_step(run: Run, batch: Batch, config: TrainConfig, devices: Devices) -> dict[str, float]:
    """One optimiser step: encode once, several rounds of prompts, one backward pass through the encoder.

    Each round back-propagates into detached copies of the maps, so only one decoder graph is alive at a time.
    """
    model, batch = run.model, batch.to(devices.device)
    model.train()
    if config.freeze_norm or config.train_only:
        freeze_batch_norm(model)
    for group in run.optimiser.param_groups:
        group["lr"] = config.learning_rate * rate_at(run, config)
    with devices.autocast():
        maps = model.encoder(image_tensor(batch.pixels).contiguous(memory_format=torch.channels_last))
    leaves = {name: tensor.detach().requires_grad_(tensor.requires_grad) for name, tensor in maps.items()}
    per_picture = len(batch.targets) // len(batch.pixels)
    points, labels = batch.points, batch.labels
    previous = torch.zeros_like(batch.targets)
    random = np.random.default_rng([config.seed, run.step, 1, devices.rank])
    figures: dict[str, float] = {}
    run.optimiser.zero_grad(set_to_none=True)
    for round_number in range(batch.rounds):
        shared = {name: leaf.repeat_interleave(per_picture, 0) for name, leaf in leaves.items()}
        with devices.autocast():
            logits, ious = model.decoder(shared, points, labels, previous)
        logits, ious = logits.float(), ious.float()
        several = several_prompts(labels)
        loss = interactive_loss(logits, ious, batch.targets, several)
        (loss / batch.rounds).backward()
        chosen = choose(*answered(logits.detach(), ious.detach(), labels), several)
        figures |= round_figures(round_number, batch.rounds, loss, chosen, batch.targets)
        if round_number + 1 < batch.rounds:
            points, labels = add_corrections(points, labels, batch.targets, chosen, random)
            previous = chosen
    learning = [name for name, tensor in maps.items() if tensor.requires_grad]
    if learning:
        torch.autograd.backward([maps[name] for name in learning], [leaves[name].grad for name in learning])
    devices.average_gradients(model)
    torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
    run.optimiser.step()
    update_average(run.ema, model, min(config.ema, (run.step + 1) / (run.step + 10)))
    return figures


def choose(logits: Tensor, ious: Tensor, several: Tensor) -> Tensor:
    """What a person would be shown of `answered`: the first mask after several prompts, else the best candidate."""
    index = torch.where(several, 0, 1 + ious[:, 1:].argmax(1))
    return logits[torch.arange(len(logits)), index].unsqueeze(1)


def add_corrections(
    points: Tensor, labels: Tensor, targets: Tensor, chosen: Tensor, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """One more click for every object, where its mask is wrong; a place with label -1 where nothing is."""
    wanted, found = (targets[:, 0] > 0.5).cpu().numpy(), (chosen[:, 0] > 0).cpu().numpy()
    new_points, new_labels = torch.zeros(len(points), 1, 2), torch.full((len(points), 1), -1.0)
    for index in range(len(points)):
        rule: clicks.Rule = "centre" if random.random() < 0.6 else "uniform"
        click = clicks.corrective_click(wanted[index], found[index], rule, random)
        if click is not None:
            new_points[index, 0] = torch.from_numpy(cell_place(click[0], click[1], random))
            new_labels[index, 0] = click[2]
    return torch.cat([points, new_points.to(points)], 1), torch.cat([labels, new_labels.to(labels)], 1)


def round_figures(number: int, rounds: int, loss: Tensor, chosen: Tensor, targets: Tensor) -> dict[str, float]:
    figures = {}
    if number == 0:
        figures = {"loss": float(loss.detach()), "iou_first": float(true_iou(chosen, targets).mean())}
    if number + 1 == rounds:
        figures["iou_last"] = float(true_iou(chosen, targets).mean())
    return figures


def rate_at(run: Run, config: TrainConfig) -> float:
    """Share of the learning rate: linear warm-up, level, then a cosine down to 2 % at the last step or minute."""
    warm = min(1.0, (run.step + 1) / max(1, config.warm_up))
    done = max(run.step / config.steps, run.seconds / (config.minutes * 60) if config.minutes else 0.0)
    falling = min(1.0, max(0.0, done - config.decay_from) / max(1e-9, 1 - config.decay_from))
    return warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * falling)))


def update_average(ema: Any, model: Any, keep: float) -> None:
    """Exponential moving average of weights and batch-norm statistics; counters are copied."""
    with torch.no_grad():
        current = model.state_dict()
        for name, tensor in ema.state_dict().items():
            if tensor.is_floating_point():
                tensor.lerp_(current[name], 1 - keep)
            else:
                tensor.copy_(current[name])


def start_or_resume(config: TrainConfig, devices: Devices) -> Run:
    """A fresh run, or the one whose state lies in `config.out`."""
    if config.init is not None:
        model = load_checkpoint(config.init, exact=True)
        model.look_at(config.long_side)
    else:
        model = build(config.model, long_side=config.long_side)
    model.to(devices.device, memory_format=torch.channels_last)
    hold_still(model, config.train_only)
    optimiser = optimiser_of(model, config)
    run = Run(model, copy.deepcopy(model).eval(), optimiser)
    if (config.out / STATE_FILE).exists():
        state = load_training_state(config.out / STATE_FILE)
        model.load_state_dict(state["model"])
        run.ema.load_state_dict(state["ema"])
        optimiser.load_state_dict(state["optimiser"])
        run.step, run.seconds = state["step"], state["seconds"]
        run.best, run.since_best = state["best"], state["since_best"]
    return run


def hold_still(model: Any, train_only: tuple[str, ...]) -> None:
    """Let only the named parts of a model learn, if any are named. ConfigError for a part that it does not have."""
    for part in train_only:
        if not any(name.startswith(f"{part}.") for name, _ in model.named_parameters()):
            raise ConfigError(f"train_only names {part!r}, which the model {model.variant} does not have.")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not train_only or name.startswith(tuple(f"{part}." for part in train_only)))


def optimiser_of(model: Any, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW on everything that learns; norms and biases do not decay."""
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in learning if parameter.ndim > 1]
    plain = [parameter for parameter in learning if parameter.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=config.learning_rate,
        betas=(0.9, 0.98),
    )


def save_run(run: Run, config: TrainConfig) -> None:
    state = {
        "model": run.model.state_dict(),
        "ema": run.ema.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "step": run.step,
        "seconds": run.seconds,
        "best": run.best,
        "since_best": run.since_best,
    }
    save_training_state(state, config.out / STATE_FILE)


def validate(run: Run, corpus: Corpus, config: TrainConfig, report: Reporter) -> None:
    """Judge the averaged weights on pictures that no step has seen."""
    run.judged = run.step
    samples = validation_samples(corpus.validation, config.validation_masks)
    if not samples:
        return
    summary = evaluate(Predictor(run.ema), samples, seed=config.seed, max_clicks=5).summary
    score = (summary["miou_1"] + summary["miou_3"] + summary["miou_5"] + summary["miou_box"]) / 4
    run.since_best = 0 if score > run.best else run.since_best + 1
    run.best = max(run.best, score)
    report(run, "validation", {"score": round(score, 4)} | summary)


def validation_samples(records: list[Record], most: int) -> list[Sample]:
    """About `most` masks, spread evenly over all records; always the same ones."""
    if not records:
        return []
    taken = spread(records, most)
    share = max(1, most // len(taken))
    samples = []
    for record in taken:
        sample = load_sample(record)
        chosen = np.linspace(0, len(sample.masks) - 1, min(share, len(sample.masks))).astype(int)
        masks, ids = [sample.masks[i] for i in chosen], [f"{record.image_path.name}:{sample.ids[i]}" for i in chosen]
        samples.append(Sample(sample.image, masks, ids, sample.source))
    return samples


def finish(run: Run, config: TrainConfig, corpus: Corpus, report: Reporter, stopped: str) -> dict[str, Any]:
    """Write the averaged weights and the result; the state stays for a longer run to go on from."""
    if run.judged != run.step:
        validate(run, corpus, config, report)
    save_run(run, config)
    result = {
        "steps": run.step,
        "seconds": round(run.seconds, 1),
        "stopped": stopped,
        "best_metric": round(run.best, 4),
    }
    digest = save_checkpoint(run.ema, config.out / WEIGHTS_FILE, {"training": as_json(config), "result": result})
    result["digest"] = digest
    (config.out / RESULT_FILE).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    report(run, "end", result)
    return result


class Reporter:
    """Writes progress.jsonl and tells the caller; averages what lies between two reports."""

    def __init__(self, config: TrainConfig, progress: Progress | None, writes: bool = True) -> None:
        self.path = config.out / PROGRESS_FILE
        self.writes = writes
        self.steps = config.steps
        self.progress = progress
        self.collected: dict[str, list[float]] = {}

    def collect(self, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self.collected.setdefault(name, []).append(value)

    def averages(self) -> dict[str, float]:
        means = {name: round(float(np.mean(values)), 4) for name, values in self.collected.items()}
        self.collected.clear()
        return means

    def __call__(self, run: Run, event: str, figures: Mapping[str, Any]) -> None:
        line = {"event": event, "step": run.step, "steps": self.steps, "seconds": round(run.seconds, 1)} | dict(figures)
        if self.writes:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        if self.progress:
            self.progress(line)


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory: otherwise every large activation is mapped and page-faulted anew.

    Measured on two cores: a step takes about a third of the time. Other C libraries simply go on as they are.
    """
    trim_threshold, top_pad, mmap_max = -1, -2, -4  # M_* of <malloc.h>
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**31 - 1)
        libc.mallopt(top_pad, 256 * 1024 * 1024)
    except (OSError, AttributeError):
        return
