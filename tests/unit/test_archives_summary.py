"""A release's summary is what CodePipeline shows, and where its commit is read from again."""

from __future__ import annotations

import pytest

from the_sink.models import Release
from the_sink.models.summaries import commit_of, subject_of
from the_sink.verbs.archives import encode_summary

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("Start", "Start"),
        ("", ""),
        ("Café für alle? Ja!", "Cafe fur alle? Ja!"),
        ("日本語", "???"),
        ("a\tb\x7f", "a?b?"),
        ("x" * 500, "x" * 209),
    ],
)
def test_a_summary_is_ascii_and_keeps_the_commit(subject: str, shown: str) -> None:
    summary = encode_summary(Release("my-app", COMMIT, subject))

    assert summary.isascii()
    assert (commit_of(summary), subject_of(summary)) == (COMMIT, shown)


@pytest.mark.parametrize("summary", ["", "Amazon S3 version id: abc", COMMIT[:39] + " x", COMMIT + "8"])
def test_what_is_no_summary_of_ours_names_no_commit(summary: str) -> None:
    assert commit_of(summary) == ""
