"""An error is made where it is raised: one that is kept for the next time keeps the frames of all who got it so far."""

from __future__ import annotations

import sys

from annotation.errors import UserError


def test_no_module_keeps_an_error():
    import config.urls  # noqa: F401  all that answers requests

    kept = [
        f"{module}.{name}"
        for module, loaded in list(sys.modules.items())
        if module.startswith(("annotation.", "engine.", "config."))
        for name, value in list(vars(loaded).items())
        if isinstance(value, UserError)
    ]
    assert "annotation.services.consensus" in sys.modules
    assert kept == []
