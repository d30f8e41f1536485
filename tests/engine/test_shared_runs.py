"""With an object store a training that loses its machine goes on elsewhere, from the last checkpoint carried."""

from __future__ import annotations

from annotation import disk, storage
from engine import pipeline, trainer

PLACE = "runs/7-0123456789ab"


def test_another_machine_finds_the_checkpoint(bucket, move_to):
    move_to("first")
    for name in trainer.CARRIED:
        storage.full(PLACE).mkdir(parents=True, exist_ok=True)
        (storage.full(PLACE) / name).write_bytes(name.encode())
    (storage.full(PLACE) / "child.log").write_text("stays here")
    pipeline._carry(PLACE)

    move_to("second")
    folder = storage.folder_found(PLACE)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: name.encode() for name in trainer.CARRIED
    }
    disk.tidy()
    assert folder.is_dir(), "what is under way is no copy to be dropped"


def test_nothing_stops_for_a_store_that_is_away_or_a_checkpoint_that_is_not_there_yet(bucket, move_to, no_store):
    move_to("first")
    pipeline._carry(PLACE)
    storage.full(PLACE).mkdir(parents=True)
    (storage.full(PLACE) / "state.pt").write_bytes(b"state")
    no_store()
    pipeline._carry(PLACE)
    assert storage.full(PLACE).is_dir()
