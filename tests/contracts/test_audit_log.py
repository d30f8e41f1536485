"""Every service function is accounted for: the line of the audit log that it leaves, or why it leaves none.

A service is a public function with keyword-only arguments. What calls it is looked up in the API's source, so that a
verb here that no view leaves, or a view that no longer calls its service, fails.
"""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from annotation.api.event_log import BY_HAND, SILENT
from tests.contracts.test_log_words import changes

ROOT = Path(__file__).parents[2]
# Functions of engine/jobs.py fetch by id and call one of these.
FILES = [
    *sorted((ROOT / "annotation" / "services").glob("*.py")),
    *(path for path in sorted((ROOT / "engine").glob("*.py")) if not path.stem.startswith(("api", "jobs"))),
    *sorted((ROOT / "engine" / "stages").glob("*.py")),
]
# Changes that their view makes without a service.
IN_VIEWS = {"session:post", "session:delete", "webhook:delete", "job-cancel:post", "job-retry:post", "admin:patch"}
TOLD = {
    "addresses.addresses_request": ["url-lists:post"],
    "consensus.consensus_make": ["consensus:post"],
    "consensus.consensus_undo": ["consensus-undo:post"],
    "datasets.dataset_create": ["datasets:post"],
    "datasets.dataset_update": ["dataset:patch", "retraining:patch"],
    "datasets.dataset_delete": ["dataset:delete"],
    "datasets.member_add": ["members:post"],
    "datasets.member_update": ["member:patch"],
    "datasets.member_activate": ["member:patch"],
    "datasets.member_remove": ["member:delete"],
    "exports.export_request": ["exports:post"],
    "folders.folder_request": ["server-folders:post"],
    "groups.group_save": ["groups:post", "group:patch"],
    "groups.group_delete": ["group:delete"],
    "groups.group_role_set": ["dataset-groups:post"],
    "groups.group_role_remove": ["dataset-group:delete"],
    "identities.identity_sign_in": ["session-oidc:post"],
    "images.image_update": ["image:patch"],
    "images.image_delete": ["image:delete"],
    "imports.import_request": ["imports:post"],
    "intake.images_upload": ["images:post"],
    "mapping.image_remap_request": ["image-mapping:post"],
    "masks.mask_save": ["mask:put"],
    "masks.mask_delete": ["mask:delete"],
    "masks.mask_restore": ["mask-restore:post"],
    "people.invitation_create": ["invitations:post"],
    "people.invitation_revoke": ["invitation-revoke:delete"],
    "people.invitation_accept": ["invitation:post"],
    "people.account_create": ["invitation:post"],
    "people.token_create": ["tokens:post"],
    "people.token_revoke": ["token:delete"],
    "reviews.item_decide": ["review-item:put"],
    "reviews.remark_add": ["task-review:post"],
    "rights.images_set_rights": ["rights:post"],
    "rights.images_remove": ["removals:post"],
    "tasks.task_submit": ["task-submit:post"],
    "tasks.task_skip": ["task-skip:post"],
    "tracks.track_begin": ["video-tracks:post"],
    "tracks.track_update": ["track:patch"],
    "tracks.track_delete": ["track:delete"],
    "tracks.track_mask_put": ["track-mask:put"],
    "tracks.track_mask_remove": ["track-mask:delete"],
    "training.member_graduate": ["member:patch"],
    "uploads.upload_append": ["upload:patch"],
    "versions.version_request": ["versions:post"],
    "videos.video_delete": ["video:delete"],
    "webhooks.webhook_create": ["webhooks:post"],
    "webhooks.webhook_update": ["webhook:patch"],
    "webhooks.webhook_test": ["webhook-deliveries:post"],
    "engine.audit.audit_start": ["audits:post"],
    "engine.audit.audit_close": ["audit-close:post"],
    "engine.exemplars.alike_propose_request": ["dataset-alike:post"],
    "engine.plans.plan_update": ["retraining:patch"],
    "engine.propagation.propagation_request": ["track-propagate:post"],
    "engine.promotion.version_restore": ["model-restore:post"],
    "engine.retraining.run_start": ["training-runs:post"],
    "engine.shadow.shadow_start": ["shadow-start:post"],
    "engine.side_by_side.comparison_start": ["comparisons:post"],
    "engine.similarity.index_request": ["mask-index:post"],
    "engine.stages.moves.rule_update": ["stage-rule:patch"],
    "engine.stages.moves.stage_move": ["stage-move:post"],
}
JOB = "work of a job whose row says who asked for it and what came of it"
COUNT = "counts or measures what is there, and can be done again at any time"
WHY_NONE = {
    "addresses.addresses_take": JOB,
    "backups.backup_make": "an operator on the server; the manifest beside the copy says when",
    "backups.backup_restore": "an operator on the server, into an empty installation; the log is what was copied",
    "boxes.boxes_add": JOB,
    "bulk.rows_insert": "the one statement by which imports and stages write their rows",
    "comparing.comparison_make": COUNT,
    "events.event_write": "it writes the line itself, for what no route does",
    "exports.export_run": JOB,
    "exports.export_write": JOB,
    "figures.figures_count": COUNT,
    "folders.folder_take": JOB,
    "gathering.gather": JOB,
    "images.image_add": "one picture of an upload or import, which is told as a whole; the row has who and when",
    "imports.import_run": JOB,
    "imports.import_archive": JOB,
    "imports.import_folder": "an operator on the server; rows have who and when",
    "intake.file_take": "one file of an upload, which is told",
    "mapping.image_remap": JOB,
    "masks.masks_add": "masks of an import or stage: the job's row, and every mask says where it came from",
    "masks.masks_audited": "copies what an audit, which is told, measured of each mask",
    "measurements.measurements_request": COUNT,
    "measurements.measurements_make": COUNT,
    "reviews.review_consider": "opens a task after a submission, which is told",
    "reviews.review_finish": "follows from the last verdict or the submission, which are told",
    "reviews.disagreement_set": COUNT,
    "statistics.statistics_request": COUNT,
    "statistics.statistics_count": COUNT,
    "tasks.task_claim_next": "holds an image for a while; the task says who",
    "tasks.task_claim_image": "holds an image for a while; the task says who",
    "tasks.task_renew": "holds it longer",
    "tasks.task_release": "gives it back as it was",
    "tasks.task_open": "follows from an image, a submission or an audit, which are told",
    "tasks.tasks_withdraw": "takes back open tasks that a told change made needless; no answered one",
    "datasets.invitations_end": "follows from a change of membership, which is told",
    "tasks.tasks_give_back": "follows from a change of membership, which is told",
    "tasks.task_withdraw": "takes back an open task that a told change made needless; no answered one",
    "tasks.tasks_open_missing": "follows from pictures that came in, which are told",
    "tiles.image_tile": "cuts a picture into tiles; the picture stays",
    "tracks.track_propose": JOB,
    "tracks.proposals_discard": "follows from the end of a track, which is told, or is work of a job",
    "training.training_prepare": "follows from asking for the next image; the tasks say whose",
    "training.trainee_graduate": "follows from a submission, which is told; the member says when",
    "training.members_excuse": "follows from a change of the training queue's settings, which is told",
    "uploads.take_in_stopping": "an attempt that a planned stop cut off; the job's row has it",
    "uploads.upload_create": "room for a file that is not there yet",
    "uploads.upload_finish": "the end of upload_append, which tells",
    "uploads.upload_delete": "half a file, or an entry of one's own list; pictures that were added stay",
    "imports.import_queue": "follows from a file that is whole, which is told",
    "uploads.take_in_request": "follows from a file that is whole, which is told",
    "uploads.take_in_run": JOB,
    "values.values_request": COUNT,
    "values.values_keep": "tiles of a picture's own values; the picture stays",
    "versions.version_freeze": JOB,
    "videos.video_take": "one file of an upload, which is told",
    "webhooks.mask_tell": "tells other programs of a mask, which is told; deliveries have a list",
    "webhooks.webhook_deliver": "every delivery has its row, with the answer",
    "engine.audit.audit_measure": "measures what people, who are told, corrected",
    "engine.boxes.boxes_request": JOB,
    "engine.boxes.boxes_answer": JOB,
    "engine.disagreement.disagreement_request": COUNT,
    "engine.disagreement.disagreement_measure": COUNT,
    "engine.embeddings.image_embed": "prepares an image; nothing of a person's",
    "engine.embeddings.embedding_request": "prepares an image; nothing of a person's",
    "engine.embeddings.embeddings_rebuild": JOB,
    "engine.evaluation.version_evaluate": "the evaluation has its row",
    "engine.eviction.embeddings_evict": "makes room; what goes is made again when asked for",
    "engine.exemplars.alike_request": COUNT,
    "engine.exemplars.alike_find": COUNT,
    "engine.words.text_search": COUNT,
    "engine.exemplars.alike_propose": JOB,
    "engine.forgetting.image_forget": "follows from a removal, which is told",
    "engine.forgetting.image_renew": "follows from new brightness values, which are told",
    "engine.pipeline.run_execute": JOB,
    "engine.promotion.candidate_judge": "the machine's: evaluation and promotion have rows, shown on the tab Model",
    "engine.promotion.candidate_decide": "the machine's: the promotion has its row, shown on the tab Model",
    "engine.propagation.track_propagate": JOB,
    "engine.proposals.detector_train": JOB,
    "engine.retraining.run_close": "the run has its row, shown on the tab Model",
    "engine.retraining.runs_reconcile": "ends runs whose process died; their rows say so",
    "engine.retraining.dataset_retrain_on_time": "by the plan, whose changes are told; the run says what began it",
    "engine.schedules.schedule_set": "part of plan_update and dataset_update, which tell",
    "engine.serving.version_register": "the end of a run; the version has its row and its origin",
    "engine.serving.base_model_register": "at the start, by the settings of the installation",
    "engine.serving.outside_model_register": "an operator on the server; the version has its row and its origin",
    "engine.shadow.shadow_run": JOB,
    "engine.side_by_side.comparison_run": JOB,
    "engine.similarity.index_build": JOB,
    "engine.mask_vectors.index_renew": JOB,
    "engine.mask_vectors.masks_forget": "follows from a removal, which is told",
    "engine.snapshots.snapshot_freeze": "part of a run; the snapshot has its row and manifest",
    "engine.stages.base.masks_write": JOB,
    "engine.stages.moves.stage_start": "follows from a move, which is told or has its row",
    "engine.stages.moves.stage_consider": "the machine's: the move has its row, shown on the tab Stages",
    "engine.stages.running.part_request": JOB,
    "engine.stages.running.part_consider": JOB,
    "engine.stages.running.stage_run": JOB,
    "engine.tally.work_count": COUNT,
    "engine.trainer.trainer_run": JOB,
    "engine.uncertainty.uncertainty_request": COUNT,
    "engine.uncertainty.images_measure": COUNT,
}
READS = {
    *(
        "backups.backup_check",
        "datasheet.datasheet",
        "exports.export_folder",
        "exports.export_file",
        "exports.export_link",
    ),
    *(
        "masks.mask_history",
        "people.invitation_open",
        "tasks.tasks_left_for",
        "tasks.tasks_of_others",
        "tasks.tasks_upcoming",
    ),
    *(
        "shortlist.shortlist",
        "training.feedback_for",
        "uploads.upload_offset",
        "versions.version_of",
        "versions.versions_compare",
    ),
    *("engine.child.run_child", "engine.gate.judge", "engine.plans.view_mix", "engine.provenance.version_origin"),
    *("engine.provenance.mask_origin", "engine.provenance.image_uses", "engine.similarity.masks_like"),
    *("engine.exemplars.sought", "engine.similarity.masks_unusual", "engine.trainer.train_settings"),
}
WRITING = {"create", "save", "delete", "update", "bulk_create", "bulk_update", "update_or_create", "get_or_create"}


def services() -> dict[str, ast.FunctionDef]:
    """Every service by its name here."""
    found = {}
    for path in FILES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removeprefix("annotation.services.")
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.args.kwonlyargs and not node.name.startswith("_"):
                found[f"{module}.{node.name}"] = node
    return found


def views(patterns: list[URLPattern | URLResolver], path: str = "") -> dict[str, str]:
    """Route -> source of the module of its view."""
    found: dict[str, str] = {}
    for pattern in patterns:
        here = path + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found |= views(pattern.url_patterns, here)
        elif here.startswith("api/"):
            found[str(pattern.name)] = inspect.getsource(sys.modules[pattern.callback.__module__])
    return found


SERVICES = services()


def test_every_service_is_accounted_for_once():
    assert len(SERVICES) > 100
    listed = [*TOLD, *WHY_NONE, *READS]
    assert sorted(listed) == sorted(set(listed))
    assert set(listed) == set(SERVICES)


def test_every_line_of_the_log_is_left_by_something_here():
    left = {verb for verb in changes(get_resolver().url_patterns) if verb.split(":")[0] not in SILENT} | BY_HAND
    assert left == {verb for verbs in TOLD.values() for verb in verbs} | IN_VIEWS


@pytest.mark.parametrize("name", TOLD)
def test_the_view_that_leaves_the_line_calls_the_service(name):
    sources = views(get_resolver().url_patterns)
    for verb in TOLD[name]:
        assert f"{name.rpartition('.')[2]}(" in sources[verb.split(":")[0]], verb


@pytest.mark.parametrize("name", sorted(READS))
def test_what_only_reads_writes_nothing(name):
    calls = (node.func for node in ast.walk(SERVICES[name]) if isinstance(node, ast.Call))
    assert not {call.attr for call in calls if isinstance(call, ast.Attribute)} & WRITING
