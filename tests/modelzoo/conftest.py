"""What the model tests share: the recorded reference data, and a table of how close we come to it."""

import os

# Before torch is imported: spinning OpenMP threads make small products ten times slower where cores are shared.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from modelzoo.model.segmenter import build_sam
from modelzoo.predictor import Predictor
from tests.modelzoo.reference import GOLDEN, golden_json, pytest_terminal_summary  # noqa: F401  a hook


@pytest.fixture(autouse=True)
def data_folder():
    """In place of the one for the web application: modelzoo knows no Django, and its tests need none."""


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """The reference data was recorded on one thread; more of them would only add noise to tiny maps."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def golden():
    """Inputs and outputs of the reference, see tests/golden/README.md."""
    with np.load(GOLDEN / "sam_small.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="session")
def small_sam():
    """The small SAM that the reference data was recorded with."""
    model = build_sam(golden_json("sam_small_config"))
    model.load_state_dict(load_file(GOLDEN / "sam_small.safetensors"), strict=True)
    return model


@pytest.fixture(scope="session")
def predictor(small_sam):
    return Predictor(small_sam)


@pytest.fixture
def parity(record_property):
    """parity(quantity, difference, tolerance): assert it, and put it into the table at the end of the run."""

    def check(quantity, difference, tolerance):
        record_property("parity", [quantity, float(difference), float(tolerance)])
        assert difference <= tolerance, f"{quantity} differs by {difference:g}, tolerance {tolerance:g}"

    return check
