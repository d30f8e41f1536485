"""The one description of a training run: what `python -m modelzoo train CONFIG.toml` reads."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelzoo.weight_files import MOST_SIDE

WEIGHTS_FILE = "model.safetensors"  # what a run leaves in its folder


class ConfigError(ValueError):
    """A configuration that cannot be used, said in one sentence."""


@dataclass(frozen=True)
class DataSource:
    """A folder of pictures with masks.

    path: absolute, or relative to the configuration file. format: "coco" or "sa1b". weight: how often a view is drawn
    from it, relative to the others. licences: only pictures under these. regions: weight of regions found in the same
    pictures without people (0: none).
    """

    path: Path
    format: str = "coco"
    weight: float = 1.0
    licences: tuple[str, ...] = ()
    regions: float = 0.0


@dataclass(frozen=True)
class TrainConfig:
    """All settings of a run. Sizes in pixels, times in minutes, rates per optimiser step."""

    out: Path
    model: str = "anymask_compact"
    init: Path | None = None  # checkpoint, or the TOML file of a run to do before; None starts from nothing
    data: tuple[DataSource, ...] = ()
    validation: tuple[DataSource, ...] = ()  # empty: `validation_share` of every data source is held back
    validation_share: float = 0.15
    synthetic: float = 0.3  # share of synthetic views
    seed: int = 0
    steps: int = 1000
    minutes: float = 0.0  # stop after this long, the rate fallen by then; 0: no limit
    batch: int = 6  # pictures per step
    prompts: int = 8  # objects per picture
    box_share: float = 0.35  # of first prompts that are a box alone; a tenth are a box and a point, the rest a point
    long_sides: tuple[int, ...] = (288, 384)  # of the views; each step takes one of them
    used_at: int = 0  # long side at which the model is judged and used; 0: the largest of `long_sides`
    learning_rate: float = 1.2e-3
    weight_decay: float = 0.02
    warm_up: int = 100  # steps
    decay_from: float = 0.3  # share of the run after which the rate follows a cosine to 2 %
    clip: float = 1.0
    ema: float = 0.999
    freeze_norm: bool = False  # keep batch-norm statistics: for fine-tuning on few pictures
    train_only: tuple[str, ...] = ()  # parts that learn, by dotted names; everything else stays as it is
    clock: str = "steps"  # what the next three count: "steps", or "seconds" of training
    report_every: int = 20
    checkpoint_every: int = 100
    validation_every: int = 500
    validation_masks: int = 60
    patience: int = 0  # stop after this many validations without a better one; 0: never
    threads: int = 1
    loaders: int = 1  # processes that make views

    def __post_init__(self) -> None:
        if not self.data and self.synthetic <= 0:
            raise ConfigError("Nothing to train on: give [[data]] or a share of synthetic views.")
        for name in ("steps", "batch", "prompts", "report_every", "checkpoint_every", "validation_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1.")
        if self.clock not in ("steps", "seconds"):
            raise ConfigError('clock must be "steps" or "seconds".')
        if not 0 <= self.box_share <= 0.9:
            raise ConfigError("box_share must lie between 0 and 0.9.")
        if any(side % 16 for side in (*self.long_sides, self.used_at)) or not self.long_sides:
            raise ConfigError("long_sides and used_at must be multiples of 16.")
        if self.long_side > MOST_SIDE:
            raise ConfigError(f"The model would take pictures of more than {MOST_SIDE} pixels: lower used_at.")

    @property
    def long_side(self) -> int:
        """The long side at which the model is judged and used."""
        return self.used_at or max(self.long_sides)


def read_stages(path: Path, schedule: str = "") -> list[TrainConfig]:
    """The run that a TOML file describes and, before it, those it builds on: `init` may name another TOML file."""
    config = read_config(path, schedule)
    if config.init is None or config.init.suffix != ".toml":
        return [config]
    earlier = read_stages(config.init, schedule)
    return [*earlier, dataclasses.replace(config, init=earlier[-1].out / WEIGHTS_FILE)]


def read_config(path: Path, schedule: str = "", **overrides: Any) -> TrainConfig:
    """Read a TOML file. Unknown keys are errors; relative paths start at the file.

    `schedule` names one of the tables under `schedules`, whose settings replace those above: the same run for another
    machine. `overrides` win over both.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"Cannot read {path}: {error}") from error
    schedules = values.pop("schedules", {})
    if schedule and schedule not in schedules:
        raise ConfigError(f"{path} has no schedule {schedule!r}. It has: {', '.join(schedules) or 'none'}.")
    values |= schedules.get(schedule, {}) | overrides
    base = path.resolve().parent
    for name in ("data", "validation"):
        values[name] = tuple(_source(entry, base) for entry in values.get(name, ()))
    for name in ("out", "init"):
        if values.get(name) is not None:
            values[name] = base / Path(values[name])
    for name in ("long_sides", "train_only"):
        if name in values:
            values[name] = tuple(values[name])
    return _checked(TrainConfig, values, path)


def _source(entry: dict[str, Any], base: Path) -> DataSource:
    entry = dict(entry)
    entry["path"] = base / Path(str(entry.get("path", "")))
    entry["licences"] = tuple(entry.get("licences", ()))
    source: DataSource = _checked(DataSource, entry, base)
    if source.format not in ("coco", "sa1b"):
        raise ConfigError(f"Format {source.format!r} of {source.path} is neither coco nor sa1b.")
    return source


def _checked(kind: type, values: dict[str, Any], where: Path) -> Any:
    known = {item.name for item in dataclasses.fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(f"{where}: unknown settings {', '.join(unknown)}.")
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"{where}: {error}") from error


def as_json(config: TrainConfig) -> dict[str, Any]:
    """JSON-able copy for checkpoints and reports; of paths only the last part, so that no machine leaks into a file."""

    def plain(value: Any) -> Any:
        if isinstance(value, Path):
            return value.name
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, list | tuple) else value

    return plain(dataclasses.asdict(config))
