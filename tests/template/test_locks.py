"""The template's locks are what its ranges resolve to, and made in one way."""

from __future__ import annotations

import pytest

from the_sink.local.template_locks import FOLDER, resolve_template_locks

from .conftest import CHECKOUT, VARIANTS


@pytest.mark.long
def test_the_locks_of_the_template_are_resolved_as_an_app_resolves_its_own(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Nothing is left to resolve: `invoke lock` in a new service changes nothing."""
    resolved = resolve_template_locks(CHECKOUT)

    assert set(resolved) == set((CHECKOUT / FOLDER).iterdir())
    assert {path.name for path in resolved} == {
        f"{variant}{ending}" for variant in VARIANTS for ending in (".lock", "-dev.lock")
    }
    for path, (content, changes) in resolved.items():
        assert changes == []
        assert content == path.read_text()
