"""Which version serves a dataset: decided by the gate, undone by a person. The only writer of ServingModel.

Every switch is one conditional write that names the version it expects to replace. Two switches at the same moment
cannot both succeed, and a late one cannot undo what it never saw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from annotation.errors import Conflict, Missing
from annotation.signals import send_on_commit
from engine import gate
from engine.models import Evaluation, ModelVersion, Promotion, ServingModel, TrainingRun
from engine.serving import default_version, serving_version
from engine.signals import serving_changed


def gate_rules() -> gate.Rules:
    """The numbers of the gate, with what the settings change of them."""
    return gate.Rules(min_masks=settings.ANYMASK_GATE_MIN_MASKS)


def _evaluations(run: TrainingRun) -> tuple[Evaluation, Evaluation]:
    """(serving, candidate) of a run whose models were both measured."""
    rows = {evaluation.role: evaluation for evaluation in run.evaluations.select_related("version")}
    return rows[Evaluation.Role.SERVING], rows[Evaluation.Role.CANDIDATE]


def candidate_judge(
    *,
    run: TrainingRun,
    places: Mapping[str, Sequence[object]],
    stages: Mapping[str, str],
    categories: Mapping[str, str] | None = None,
) -> gate.Verdict:
    """Compare the run's candidate with the serving version. Takes a moment and writes nothing: no transaction needed.

    ``places``, ``stages`` and ``categories`` say, by mask id, where a held-out mask lies (its video or image, its
    image), in which stage it was made and what it shows.
    """
    serving, candidate = _evaluations(run)
    verdict = gate.judge(
        serving.rows, candidate.rows, places=places, stages=stages, categories=categories, rules=gate_rules()
    )
    if candidate.version_id == serving.version_id:
        reason = "Refused: training changed nothing, the candidate is the serving model."
        return gate.Verdict(False, "same_model", reason, verdict.numbers)
    return verdict


def candidate_decide(*, run: TrainingRun, verdict: gate.Verdict) -> Promotion:
    """Switch to the run's candidate, or record the refusal, as the verdict says. Decides once.

    A run that was decided before keeps its decision. When the serving version is no longer the one the candidate was
    compared with, the candidate is refused: it has not beaten what serves now.
    """
    decided = Promotion.objects.filter(run=run).first()
    if decided is not None:
        return decided
    serving, candidate = _evaluations(run)
    if verdict.promote:
        try:
            with transaction.atomic():
                promotion = _switch(
                    expected=serving.version,
                    to=candidate.version,
                    dataset_id=run.dataset_id,
                    run=run,
                    kind=Promotion.Kind.PROMOTE,
                    reason=verdict.reason,
                    numbers={"code": verdict.code, **verdict.numbers},
                )
                ModelVersion.objects.filter(pk=candidate.version_id).update(state=ModelVersion.State.PROMOTED)
            return promotion
        except Conflict:
            reason = "Refused: another model was put into service while this one was being judged; train again from it."
            verdict = gate.Verdict(False, "serving_changed", reason, verdict.numbers)
    return _refuse(run, serving.version, candidate.version, verdict)


def _refuse(run: TrainingRun, serving: ModelVersion, candidate: ModelVersion, verdict: gate.Verdict) -> Promotion:
    """Record that the serving version stays, with the numbers of why."""
    with transaction.atomic():
        waiting = ModelVersion.objects.filter(pk=candidate.pk, state=ModelVersion.State.CANDIDATE)
        waiting.update(state=ModelVersion.State.REFUSED)
        return Promotion.objects.create(
            dataset_id=run.dataset_id,
            run=run,
            kind=Promotion.Kind.REFUSE,
            from_version=serving,
            to_version=candidate,
            reason=verdict.reason,
            numbers={"code": verdict.code, **verdict.numbers},
        )


def version_restore(*, dataset_id: int, digest: str, by: Any) -> Promotion:
    """Put an earlier (or refused) version into service because a person says so.

    Missing when the version is not one of this dataset's; Conflict when it serves already, or when another version was
    put into service meanwhile.
    """
    version = version_named(dataset_id, digest)
    current = serving_version(dataset_id)
    if current.pk == version.pk:
        raise Conflict("already_serving", f"{version.name} is the serving model already.")
    name = getattr(by, "username", "") or "the command line"
    with transaction.atomic():
        return _switch(
            expected=current,
            to=version,
            dataset_id=dataset_id,
            kind=Promotion.Kind.ROLLBACK,
            reason=f"{name} put {version.name} into service in place of {current.name}.",
            by=by,
        )


def version_named(dataset_id: int, digest: str) -> ModelVersion:
    """The version of a dataset with this digest, or Missing."""
    known = versions_of(dataset_id).filter(digest=digest).first() if digest.isalnum() else None  # a NUL is no digest
    if known is None:
        raise Missing("unknown_model", "This dataset has no model with that digest.")
    return known


def versions_of(dataset_id: int) -> QuerySet[ModelVersion]:
    """Queryset of the versions a dataset may serve: the shared base versions and what was trained on it."""
    # A run may end in weights that are known already, from another dataset with the same masks.
    trained = TrainingRun.objects.filter(dataset_id=dataset_id, candidate__isnull=False).order_by().values("candidate")
    return ModelVersion.objects.filter(Q(dataset__isnull=True) | Q(dataset_id=dataset_id) | Q(pk__in=trained))


def _switch(
    *,
    expected: ModelVersion,
    to: ModelVersion,
    dataset_id: int,
    kind: str,
    reason: str,
    numbers: dict[str, Any] | None = None,
    run: TrainingRun | None = None,
    by: Any = None,
) -> Promotion:
    """Replace ``expected`` by ``to`` if it still serves, else Conflict. Call inside a transaction."""
    switched = ServingModel.objects.filter(dataset_id=dataset_id, version=expected).update(
        version=to, updated_at=timezone.now()
    )
    if not switched and default_version().pk == expected.pk:
        # No row yet: the default version serves. Of two switches that create it, the unique column lets one through.
        try:
            with transaction.atomic():
                ServingModel.objects.create(dataset_id=dataset_id, version=to)
            switched = 1
        except IntegrityError:
            switched = 0
    if not switched:
        raise Conflict(
            "serving_changed", "Another model was put into service in the meantime. Look again, then decide."
        )
    promotion = Promotion.objects.create(
        dataset_id=dataset_id,
        run=run,
        kind=kind,
        from_version=expected,
        to_version=to,
        reason=reason,
        numbers=numbers or {},
        by=by,
    )
    send_on_commit(serving_changed, dataset_id=dataset_id, version_id=to.pk)
    return promotion
