"""`python -m benchmarks`: suites run apart, are told as they come, kept with their peak memory; failures are said."""

import json
import sys

import pytest

from benchmarks import __main__ as bench
from benchmarks.measure import Row


@pytest.fixture
def results(tmp_path, monkeypatch):
    folder = tmp_path / "results"
    folder.mkdir()
    monkeypatch.setattr(bench, "RESULTS", folder)
    return folder


def ran(monkeypatch, suites, *told):
    """The command on suites that tell `told`, without running them."""
    monkeypatch.setattr(sys, "argv", ["benchmarks", *suites])
    monkeypatch.setattr(bench, "suite_apart", lambda name: iter(told))
    return bench.main()


def figure(best):
    return {"row": Row("encode", best, "ms", best, 3, memory=900.0).as_dict()}


DONE = {"peak_mib": 1234, "seconds": 2.5}


def test_a_run_is_kept_with_memory_and_marks_what_became_worse(results, monkeypatch, capsys):
    assert ran(monkeypatch, ["masks"], figure(10.0), DONE) == 0
    first = next(results.iterdir())
    first.rename(results / "2020-01-01-0000.json")
    capsys.readouterr()
    assert ran(monkeypatch, ["masks"], figure(15.0), DONE) == 0
    said = capsys.readouterr().out
    assert "REGRESSION: 1.50 x 2020-01-01-0000" in said
    assert "1 of 1 figures are worse" in said
    assert "peak memory 1234 MiB" in said
    document = json.loads(max(results.iterdir()).read_text())
    assert document["suites"]["masks"] == DONE
    assert document["rows"][0]["memory"] == 900.0
    assert document["rows"][0]["since"]["regression"] is True


def test_a_suite_that_fails_is_said_and_the_others_are_kept(results, monkeypatch, capsys):
    assert ran(monkeypatch, ["masks"], figure(10.0), {"failed": 1}) == 1
    assert "FAILED with status 1" in capsys.readouterr().out
    assert len(json.loads(next(results.iterdir()).read_text())["rows"]) == 1


def test_a_run_that_is_cut_off_leaves_the_suites_that_were_done(results, monkeypatch):
    def apart(name):
        if name == "pages":
            raise KeyboardInterrupt
        return iter([figure(10.0), DONE])

    monkeypatch.setattr(sys, "argv", ["benchmarks", "masks", "pages"])
    monkeypatch.setattr(bench, "suite_apart", apart)
    with pytest.raises(KeyboardInterrupt):
        bench.main()
    assert json.loads(next(results.iterdir()).read_text())["suites"] == {"masks": DONE}


def test_an_unknown_suite_is_refused(results, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "nonsense"])
    assert bench.main() == 2
    assert "nonsense" in capsys.readouterr().err
    assert not list(results.iterdir())


def test_every_suite_is_there():
    import importlib

    for name in bench.SUITES:
        assert callable(importlib.import_module(f"benchmarks.{name}").rows)


def test_a_suite_runs_in_a_process_of_its_own(monkeypatch):
    monkeypatch.setattr(bench, "ONE", "--no-such-option")
    assert [set(told) for told in bench.suite_apart("masks")] == [{"failed"}]
