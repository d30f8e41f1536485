"""`make bench` beside its earlier results: which figure is compared with which, and what is marked."""

import json

import pytest

from benchmarks.history import change, earlier_figures
from benchmarks.measure import Row

HERE = {"cpu": "AMD EPYC", "cores": 2, "system": "Linux x86_64", "python": "3.11.7"}


def row(best=10.0, unit="ms", name="encode", memory=None):
    return Row(name, best * 1.1, unit, best, 3, memory=memory)


def kept(folder, name, *rows, machine=HERE, **more):
    document = {"machine": machine, "rows": [one.as_dict() for one in rows], **more}
    (folder / f"{name}.json").write_text(json.dumps(document))


def compared(folder, now):
    return change(now, earlier_figures(folder, HERE))


def test_the_newest_result_that_has_the_figure_counts(tmp_path):
    kept(tmp_path, "2026-01-01-0900", row(20.0), row(5.0, name="decode"))
    kept(tmp_path, "2026-01-02-0900", row(10.0), load=0.5)
    found = earlier_figures(tmp_path, HERE)
    assert (found["encode"].run, found["encode"].row["lowest"], found["encode"].load) == ("2026-01-02-0900", 10.0, 0.5)
    assert (found["decode"].run, found["decode"].load) == ("2026-01-01-0900", None)


@pytest.mark.parametrize("other", [{"cpu": "Xeon"}, {"cores": 16}, {"system": "Darwin arm64"}])
def test_another_machine_is_not_compared_with(tmp_path, other):
    kept(tmp_path, "2026-01-01-0900", row(), machine={**HERE, **other})
    assert compared(tmp_path, row()) is None


def test_another_python_is_the_same_machine(tmp_path):
    kept(tmp_path, "2026-01-01-0900", row(), machine={**HERE, "python": "3.12.1"})
    assert compared(tmp_path, row()) is not None


@pytest.mark.parametrize(
    ("unit", "before", "now", "worse", "marked"),
    [
        ("ms", 10.0, 11.9, 1.19, False),
        ("ms", 10.0, 12.1, 1.21, True),
        ("s", 10.0, 5.0, 0.5, False),
        ("MiB", 100.0, 130.0, 1.3, True),
        ("clicks", 5.0, 7.0, 1.4, True),
        ("masks/s", 100.0, 80.0, 1.25, True),
        ("masks/s", 100.0, 200.0, 0.5, False),
        ("IoU", 0.6, 0.4, 1.5, True),
        ("IoU", 0.6, 0.7, 0.857, False),
    ],
)
def test_worse_is_larger_or_smaller_by_the_unit(tmp_path, unit, before, now, worse, marked):
    kept(tmp_path, "2026-01-01-0900", row(before, unit))
    found = compared(tmp_path, row(now, unit))
    assert found.value == pytest.approx(worse)
    assert found.regression is marked
    assert ("REGRESSION" in found.words(0.0)) is marked


def test_more_memory_for_the_same_time_is_a_regression(tmp_path):
    kept(tmp_path, "2026-01-01-0900", row(memory=500.0))
    found = compared(tmp_path, row(memory=700.0))
    assert (found.value, found.memory, found.regression) == (1.0, 1.4, True)
    assert compared(tmp_path, row(memory=None)).memory is None


def test_what_cannot_be_compared_is_not_marked(tmp_path):
    kept(tmp_path, "2026-01-01-0900", row(1.0, "yes/no"), row(0.0, name="nothing"), row(10.0, "s", name="other unit"))
    for now in (row(0.5, "yes/no"), row(3.0, name="nothing")):
        found = compared(tmp_path, now)
        assert not found.regression
        assert found.words(1.0) == ""
    assert compared(tmp_path, row(99.0, "ms", name="other unit")) is None
    assert compared(tmp_path, row(name="new")) is None


def test_the_load_of_both_runs_is_said(tmp_path):
    kept(tmp_path, "2026-01-01-0900", row(10.0), load=0.3)
    assert compared(tmp_path, row(30.0)).words(17.2) == "REGRESSION: 3.00 x 2026-01-01-0900, load 0.3 then, 17.2 now"
    assert compared(tmp_path, row(5.0)).words(0.1).startswith("1/2.00 x 2026-01-01-0900")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"machine": [], "rows": []}', '{"machine": {}, "rows": [1]}'])
def test_a_file_that_is_no_result_is_passed_over(tmp_path, text):
    kept(tmp_path, "2026-01-01-0900", row())
    (tmp_path / "2026-01-02-0900.json").write_text(text)
    assert compared(tmp_path, row()) is not None
