"""What `list` says of the models there are, and how a name leads to a file."""

import json

import pytest

from modelzoo.__main__ import main
from modelzoo.build import BUILDERS
from modelzoo.catalogue import CATALOGUE, ENCODE_SECONDS, find_weights, published_as, speed_class
from tests.modelzoo.reference import golden_json


@pytest.fixture(autouse=True)
def weights(tmp_path, monkeypatch):
    """An empty folder for fetched weights."""
    monkeypatch.setenv("ANYMASK_WEIGHTS", str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def listed(capsys):
    assert main(["list", "--json"]) == 0
    return {row["name"]: row for row in json.loads(capsys.readouterr().out)}


def test_every_model_is_listed_with_what_people_choose_by(capsys):
    assert main(["list"]) == 0
    table, _, files, _ = capsys.readouterr().out.split("\n\n")
    lines = {line.split()[0]: line for line in table.splitlines()}
    assert set(BUILDERS) <= set(lines)
    assert all(
        part in lines["mobile_sam"] for part in ("10.1 M", "1024 px", "40.7 MB", "Apache-2.0", "fast", "not here")
    )
    assert all(part in lines["anymask_compact"] for part in ("px", "MB", "instant", "shipped"))
    assert "anymask_compact.safetensors" in files
    assert CATALOGUE["mobile_sam"].sha256 in files
    assert "very slow" in lines["sam_vit_h"]


def test_what_is_here_is_told_by_its_own_digest(capsys, weights):
    assert listed(capsys)["mobile_sam"]["path"] is None
    (weights / "mobile_sam.pt").write_bytes(b"not the published one")
    row = listed(capsys)["mobile_sam"]
    assert (row["path"], row["verified"]) == (str(weights / "mobile_sam.pt"), False)
    assert row["sha256"] != CATALOGUE["mobile_sam"].sha256
    assert main(["list"]) == 0
    assert "ANOTHER FILE" in capsys.readouterr().out


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_catalogued_file_is_of_a_known_model(name):
    """Numbers that have to agree with one another: names, parameters, and bytes that hold them as float32."""
    entry = CATALOGUE[name]
    keys = golden_json(f"{name}_keys")
    assert name in BUILDERS
    assert entry.parameters == keys["n_parameters"]
    assert 0 < entry.file_bytes - 4 * keys["n_state_dict_elements"] < 600 * keys["n_keys"]
    assert len(entry.sha256) == 64
    assert entry.url.startswith("https://")
    assert entry.url.endswith(f"/{entry.file_name}")
    assert published_as(entry.sha256) == entry


def test_speed_is_a_word_for_measured_seconds():
    assert set(ENCODE_SECONDS) == set(BUILDERS)
    assert [speed_class(name) for name in ("anymask_compact", "mobile_sam", "sam_vit_b", "sam_vit_h")] == [
        "instant",
        "fast",
        "slow",
        "very slow",
    ]
    assert speed_class("stranger") == ""


def test_a_name_finds_shipped_and_fetched_weights_and_a_path_itself(weights):
    assert find_weights("anymask_compact").name == "anymask_compact.safetensors"
    assert find_weights("mobile_sam") is None
    (weights / "mobile_sam.pt").write_bytes(b"fetched")
    assert find_weights("mobile_sam") == weights / "mobile_sam.pt"
    assert find_weights(str(weights / "mobile_sam.pt")) == weights / "mobile_sam.pt"
    assert find_weights(str(weights / "missing.pt")) is None


def test_weights_that_are_not_here_say_how_to_get_them(tmp_path, capsys):
    assert main(["export", "--model", "mobile_sam", "--out", str(tmp_path)]) == 2
    assert "fetch mobile_sam" in capsys.readouterr().err
