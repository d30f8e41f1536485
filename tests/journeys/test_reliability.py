"""Real processes, killed at random: the smallest of the trials of `make reliability`, one of each family."""

from __future__ import annotations

import os

import pytest

from benchmarks.reliability import data, jobs, transfers
from benchmarks.reliability.servers import why_not_production
from benchmarks.reliability.trial import Trial

SHORT = {
    "R1": data.no_lost_submit,
    "R11": jobs.ledger_is_the_record,
    "R22": transfers.no_unchecked_mask,
}


pytestmark = [pytest.mark.slow, pytest.mark.journey, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("name", SHORT)
def test_a_short_trial_finds_nothing(name):
    finding = SHORT[name](Trial("embedded", share=0.0, seed=17))
    assert finding.tried >= 20
    assert finding.met, str(finding)


def test_machines_that_share_nothing_but_database_broker_and_object_store():
    if why := why_not_production():
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)  # PostgreSQL and Redis are no part of a developer's machine; in CI they have to be there
    finding = transfers.imports_are_whole(Trial("machines", share=0.0, seed=17))
    assert finding.tried
    assert finding.met, str(finding)
