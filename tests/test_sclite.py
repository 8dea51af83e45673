"""Counts and rates against those NIST's sclite publishes for its own test data: the csrnab case, three speakers.

``golden/sclite_csrnab.txt`` has the published alignments without their words; the words here are made up to fit them.
The totals to be met are those of SCTK's src/sclite/testdata/base/test1.sys.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from comparisons.align import Alignment, align
from comparisons.normalise import normaliser
from comparisons.score import Score, pooled, score

PUBLISHED = {  # speaker: utterances, words, and in per cent: substituted, deleted, inserted, all errors
    "4t0": (15, 458, 14.0, 2.0, 2.6, 18.6),
    "4t1": (21, 544, 5.9, 0.6, 0.7, 7.2),
    "4t2": (15, 404, 8.7, 0.0, 2.5, 11.1),
    "all": (51, 1406, 9.3, 0.9, 1.8, 12.0),
}


def utterances() -> list[tuple[str, list[tuple[str | None, str | None]]]]:
    """Speaker and pairs of words of each utterance: a word that is right is the same on both sides, all others are new."""
    found = []
    for line in (Path(__file__).parent / "golden" / "sclite_csrnab.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        speaker, *runs = line.split()
        steps = "".join(kind * int(times) for kind, times in ((run[0], run[1:]) for run in runs))
        found.append((speaker, [pair(kind, place) for place, kind in enumerate(steps)]))
    return found


def pair(kind: str, place: int) -> tuple[str | None, str | None]:
    said, heard = f"said{place}", f"heard{place}"
    return {"C": (said, said), "S": (said, heard), "D": (said, None), "I": (None, heard)}[kind]


def texts(pairs: list[tuple[str | None, str | None]]) -> tuple[str, str]:
    return " ".join(said for said, _ in pairs if said), " ".join(heard for _, heard in pairs if heard)


@pytest.mark.parametrize("speaker", sorted(PUBLISHED))
def test_sclites_alignments_give_sclites_rates(speaker: str) -> None:
    alignments = [Alignment.of(pairs) for name, pairs in utterances() if speaker in (name, "all")]
    words = sum(alignment.reference_length for alignment in alignments)
    rates = [
        round(100 * sum(getattr(alignment, count) for alignment in alignments) / words, 1)
        for count in ("substitutions", "deletions", "insertions", "errors")
    ]
    assert (len(alignments), words, *rates) == PUBLISHED[speaker]


@pytest.mark.parametrize("speaker", sorted(PUBLISHED))
def test_our_pooled_rate_is_sclites(speaker: str) -> None:
    scores: list[Score] = []
    for name, pairs in utterances():
        if speaker in (name, "all"):
            scores.append(score(*texts(pairs), normaliser("none"), "en")[0])
    whole = pooled(scores)
    assert whole is not None and whole.wer is not None  # noqa: PT018  # for mypy
    assert whole.reference_length == PUBLISHED[speaker][1]
    assert round(100 * whole.wer, 1) == PUBLISHED[speaker][5]  # for all three: 12.0, and not 12.3, the mean of their rates


def test_every_total_is_sclites_and_one_split_is_not() -> None:
    # sclite weighs 4/3/3, so it would rather delete, keep a right word and insert (6) than substitute twice (8). Both are
    # two errors.
    otherwise = []
    for number, (_, pairs) in enumerate(utterances()):
        theirs, ours = Alignment.of(pairs), align(*(text.split() for text in texts(pairs)))
        assert ours.errors == theirs.errors
        if (ours.substitutions, ours.deletions, ours.insertions) != (
            theirs.substitutions,
            theirs.deletions,
            theirs.insertions,
        ):
            otherwise.append((number, ours.substitutions - theirs.substitutions))
    assert otherwise == [(6, 2)]
