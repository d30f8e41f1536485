"""Rounds of the data engine with simulated people: new pictures, labelling, retraining, gate; then the next round."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from annotation import jobkit
from annotation.models import Dataset, Job, Mask, Stage
from engine.models import ModelVersion, TrainingRun
from engine.serving import predictor_for, serving_version
from engine.simulation.figures import figures, training_figures
from engine.simulation.people import MOST_CLICKS, ImageWork, Person, Refused, surroundings
from engine.simulation.truth import Picture

UPLOAD = 20  # pictures in one request
LOOK_SECONDS = 0.5
TRUTH_FIGURES = ("masks", "miou_1", "miou_1_oracle", "miou_3", "miou_5", "miou_box", "noc85", "rank_correlation")

Told = Callable[[str], None]
Json = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What is simulated. ``rounds``: the pictures of each; between two of them the model is retrained.

    ``stages`` names the stage of each round, the last one for those that follow. ``poisoned``: the round in which
    people save what surrounds the objects, on pictures that are trained on. ``judged``: held-out objects that every
    model is measured on, 0 for all. ``audited``: pictures whose automatic masks people correct, of each round.
    ``brush``: people paint what their clicks did not bring, instead of taking it as it is.
    """

    name: str
    rounds: list[list[Picture]]
    stages: Sequence[str] = ("assisted",)
    people: int = 2
    weights: Path | None = None
    poisoned: int | None = None
    judged: int = 100
    audited: int = 10
    brush: bool = False

    def stage(self, number: int) -> str:
        """Stage of a round."""
        return self.stages[min(number, len(self.stages) - 1)]

    @property
    def pictures(self) -> dict[str, Picture]:
        """Every picture by its name."""
        return {picture.file_name: picture for one in self.rounds for picture in one}


@dataclass
class Simulation:
    """One run of a plan on this installation."""

    plan: Plan
    told: Told
    lead: Person = field(init=False)
    people: list[Person] = field(init=False)
    dataset: Dataset = field(init=False)
    measured: dict[str, Json] = field(default_factory=dict)

    def run(self) -> Json:
        """All rounds. The report, JSON-able; Refused or UserError when the product did not let it happen."""
        self._found()
        rounds = []
        for number, pictures in enumerate(self.plan.rounds):
            report = self._round(number, pictures)
            rounds.append(report)
            self.told(_line(report))
        return {
            "dataset": self.dataset.name,
            "stages": [report["stage"] for report in rounds],
            "pictures": len(self.plan.pictures),
            "objects": sum(len(picture.objects) for picture in self.plan.pictures.values()),
            "held_out_pictures": sum(picture.held_out for picture in self.plan.pictures.values()),
            "rounds": rounds,
        }

    def _found(self) -> None:
        """A dataset, its people, and the model that they begin with."""
        plan = self.plan
        self.lead = Person(f"{plan.name} lead")
        self.people = [Person(f"{plan.name} annotator {number + 1}", plan.brush) for number in range(plan.people)]
        made = self.lead.ask("POST", "/api/datasets/", {"name": plan.name, "description": "Made by `simulate`."})
        self.dataset = Dataset.objects.get(pk=made["id"])
        for person in self.people:
            body = {"username": person.user.get_username(), "role": "annotator"}
            self.lead.ask("POST", f"/api/datasets/{self.dataset.pk}/members/", body)
        if plan.weights is not None:
            from engine.serving import outside_model_register

            version = outside_model_register(source=str(plan.weights), name=f"{plan.name} start")
            if version.pk != serving_version(self.dataset.pk).pk:
                self.lead.ask("POST", f"/api/datasets/{self.dataset.pk}/models/{version.digest}/restore/")

    def _round(self, number: int, pictures: list[Picture]) -> Json:
        """New pictures, the stage's machine part, people's part, and (unless it is the last round) a retraining."""
        clock = Clock()
        serving = serving_version(self.dataset.pk)
        report: Json = {"round": number, "stage": self.plan.stage(number), "model": serving.digest}
        report["held_out"] = clock.timed("measuring", lambda: self._measure(serving))
        clock.timed("machine", lambda: self._machine_part(number, pictures))
        works = clock.timed("people", lambda: self._people_part(number))
        report |= figures(works)
        if report["stage"] == Stage.FULLY_AUTOMATIC:
            report["automatic"] = clock.timed("people", lambda: self._automatic_part(number, pictures))
        if number + 1 < len(self.plan.rounds):
            run = clock.timed("training", self._retrain)
            report["training"] = training_figures(run)
            if run.candidate is not None:
                candidate = run.candidate
                report["training"]["held_out"] = clock.timed("measuring", lambda: self._measure(candidate))
        return report | {"seconds": clock.seconds}

    def _machine_part(self, number: int, pictures: list[Picture]) -> None:
        """Upload, encode, and what the stage does by itself."""
        self.told(f"Round {number}: {len(pictures)} new pictures")
        for start in range(0, len(pictures), UPLOAD):
            files = [_upload(picture) for picture in pictures[start : start + UPLOAD]]
            answer = self.lead.ask("POST", f"/api/datasets/{self.dataset.pk}/images/", files=files)
            if answer["rejected"]:
                raise Refused(f"{answer['rejected'][0]['name']}: {answer['rejected'][0]['message']}")
        self.dataset.refresh_from_db()
        if self.dataset.stage != self.plan.stage(number):
            body = {"to": self.plan.stage(number), "note": f"Round {number} of a simulation."}
            self.lead.ask("POST", f"/api/datasets/{self.dataset.pk}/stages/move/", body)
        self._work_off()

    def _people_part(self, number: int) -> list[ImageWork]:
        """People take turns until no image is left."""
        known, idle = self.plan.pictures, 0
        works: list[ImageWork] = []
        while idle < len(self.people):
            person = self.people[len(works) % len(self.people)]
            task = person.next_task(self.dataset.pk)
            if task is None:
                idle += 1
                continue
            picture = known[task["image"]["file_name"]]
            careless = number == self.plan.poisoned and not picture.held_out
            person.spoil = surroundings if careless else None
            works.append(person.label(task, picture))
            if len(works) % 10 == 0:
                self.told(f"  {len(works)} pictures labelled")
        return works

    def _automatic_part(self, number: int, pictures: Sequence[Picture]) -> Json:
        """The masks that the machine alone made in a round; people correct those of a random sample of pictures."""
        path = f"/api/datasets/{self.dataset.pk}/audits/"
        names = [picture.file_name for picture in pictures]
        masks = Mask.objects.filter(
            image__dataset=self.dataset, image__file_name__in=names, stage=Stage.FULLY_AUTOMATIC, source="model"
        ).count()
        report: Json = {"masks": masks, "masks_per_image": round(masks / len(pictures), 4), "audit": None}
        if not self.plan.audited or not self.lead.ask("GET", path)["eligible"]["automatic"]:
            return report
        body = {"size": self.plan.audited, "seed": number, "source": "automatic"}
        self.lead.ask("POST", path, body)
        for person in self.people:
            while (task := person.next_task(self.dataset.pk, "audit")) is not None:
                person.audit(task, self.plan.pictures[task["image"]["file_name"]])
        self._work_off()
        numbers = self.lead.ask("GET", path)["audits"][0]["numbers"]
        return report | {"audit": numbers}

    def _retrain(self) -> TrainingRun:
        """A lead asks for a retraining; its job and the gate do the rest."""
        self.told("  retraining")
        started = self.lead.ask("POST", f"/api/datasets/{self.dataset.pk}/training-runs/")
        self._work_off()
        return TrainingRun.objects.select_related("candidate").get(pk=started["id"])

    def _work_off(self) -> None:
        """Do the dataset's machine work until there is none; what a worker was quicker to take is waited for."""
        from engine import jobs  # noqa: F401  binds the functions of the jobs to their kinds

        while Job.objects.filter(dataset=self.dataset, state__in=Job.OPEN).exists():
            if not jobkit.run_pending(dataset=self.dataset):
                time.sleep(LOOK_SECONDS)
        failed = Job.objects.filter(dataset=self.dataset, state=Job.State.FAILED).first()
        if failed is not None:
            raise Refused(f"{failed.title}: {failed.error_message}")

    def _measure(self, version: ModelVersion) -> Json:
        """Figures of a version on the objects that are really in the held-out pictures, once per version."""
        if version.digest not in self.measured:
            from modelzoo.training.data import load_samples
            from modelzoo.training.evaluate import evaluate

            records = thinned([one for one in self.plan.pictures.values() if one.held_out], self.plan.judged)
            report = evaluate(predictor_for(version), load_samples(records), max_clicks=MOST_CLICKS)
            self.measured[version.digest] = {name: report.summary[name] for name in TRUTH_FIGURES}
        return self.measured[version.digest]


@dataclass
class Clock:
    """Wall seconds by what they were spent on."""

    seconds: dict[str, float] = field(default_factory=dict)

    def timed(self, name: str, work: Callable[[], Any]) -> Any:
        """Do it and add its time."""
        started = time.monotonic()
        try:
            return work()
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - started, 1)


def thinned(pictures: Sequence[Picture], most: int) -> list[Any]:
    """Records of pictures with at most ``most`` objects in all (0: no limit): evenly, the prominent ones first."""
    records = [picture.record for picture in pictures]
    if not most:
        return records
    each = max(1, most // max(1, len(records)))
    return [replace(one, masks=one.masks[:each], ids=one.ids[:each]) for one in records]


def _upload(picture: Picture) -> SimpleUploadedFile:
    return SimpleUploadedFile(picture.file_name, picture.record.image_path.read_bytes())


def _line(report: Json) -> str:
    """One line for people."""
    clicks, held_out = report["clicks_per_mask"], report["held_out"]
    told = f"Round {report['round']} ({report['stage']}): {report['masks']} masks"
    if clicks is not None:
        told += f", {clicks:.2f} clicks each"
    told += f"; held-out 1 click {held_out['miou_1']:.3f}, clicks to 0.85 {held_out['noc85']:.2f}"
    if actions := report["prefilled"]["actions"]:
        told += f"; {actions['saved']:.0%} fewer actions than without proposals"
    return told + (f". {report['training']['reason']}" if "training" in report else "")
