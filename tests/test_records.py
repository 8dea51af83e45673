"""What is exported to be computed with: JSON, CSV and frames, and no number for what is unknown."""

from __future__ import annotations

import csv
import io
import json

import pytest

from comparisons import report
from tests.reported import (
    LONG,
    SPHINX,
    compared,
    long_clip,
    one_clip,
    ran,
    skipped,
    three_prompts,
    told,
)


def test_json_has_the_promised_keys_and_null_for_unknown() -> None:
    whole = json.loads(json.dumps(report.to_dict(one_clip()), allow_nan=False))
    assert list(whole)[:3] == ["clip", "normaliser", "results"]
    assert whole["clip"] == {"source": "budget.flac", "seconds": 5.0}
    assert whole["normaliser"] == {"name": "basic", "version": "1"}
    promised = (
        "contender runner model status transcript error stage wer cer hits substitutions deletions insertions seconds runs "
        "load_seconds rtf rtfx device dtype peak_memory_mb"
    )
    for result in whole["results"]:
        assert list(result)[:21] == promised.split()
    phi, sphinx, whisper, moonshine = whole["results"]
    assert phi["status"] == "skipped"
    assert phi["fix"] == "Free memory, or choose 4-bit."
    assert [phi[key] for key in ("transcript", "wer", "hits", "rtf", "seconds", "device")] == [None] * 6
    assert phi["runs"] == []
    assert (whisper["status"], whisper["error"], whisper["stage"]) == ("cancelled", None, "transcribe")
    assert (sphinx["substitutions"], sphinx["deletions"], sphinx["insertions"], sphinx["hits"]) == (1, 1, 1, 5)
    assert sphinx["wer"] == pytest.approx(3 / 7)
    assert sphinx["load_seconds"] is None
    assert (moonshine["rtf"], moonshine["rtfx"]) == (0.041, pytest.approx(1 / 0.041))
    assert moonshine["seconds"] == 1.25


def test_what_is_not_a_number_never_reaches_json() -> None:
    whole = report.to_dict(compared("a", ran(SPHINX, "a", rtf=float("nan"))))
    assert whole["results"][0]["rtf"] is None
    json.dumps(whole, allow_nan=False)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", " =cmd", "＝1"])
def test_a_spreadsheet_gets_no_formula(text: str) -> None:
    rows = list(csv.DictReader(io.StringIO(report.to_csv(compared("a", ran(SPHINX, text), name=text)))))
    assert rows[0]["transcript"] == "'" + text
    assert rows[0]["source"] == "'" + text


def test_a_frame_that_is_copied_into_a_spreadsheet_has_no_formula() -> None:
    comparison = compared(None, skipped(SPHINX, error="=1+1"), name="=1+1.wav")
    row = report.to_frame(comparison).iloc[0]
    assert (row["Clip"], row["Reason"]) == ("'=1+1.wav", "'=1+1")


def test_csv_survives_quotes_commas_and_lines() -> None:
    text = 'one, "two"\nthree'
    rows = list(csv.DictReader(io.StringIO(report.to_csv(compared("a", ran(SPHINX, text))))))
    assert rows[0]["transcript"] == text


def test_the_summary_frame_has_a_row_a_column_and_gaps_for_unknown() -> None:
    frame = report.to_frame(one_clip())
    assert list(frame["System"]) == ["Moonshine tiny", "PocketSphinx", "Whisper small", "Phi-4-multimodal"]
    assert list(frame["State"]) == ["done", "done", "cancelled", "skipped"]
    assert frame["WER %"][1] == 42.9
    assert frame["S"][1] == 1
    assert frame["WER %"].isna().tolist() == [False, False, True, True]
    assert frame["Reason"][3] == "Needs 11.2 GB, 4.1 GB free."
    assert len(report.to_frame([])) == 0


def test_templates_of_one_system_have_names_and_labels_of_their_own() -> None:
    whole = report.to_dict(three_prompts())
    assert [each["contender"] for each in whole["results"]] == ["phi4#verbatim", "phi4#readable", "phi4#summary"]
    assert [each["template"] for each in whole["results"]] == ["verbatim", "readable", "summary"]
    assert {each["revision"] for each in whole["results"]} == {"refs/pr/70"}
    assert len(set(report.to_frame(three_prompts())["System"])) == 3
    assert len({row.label for row in report.pooled_rows([three_prompts(), three_prompts()])}) == 3


def test_a_typed_prompt_has_no_template() -> None:
    result = report.to_dict(compared(None, ran(told(None, "transcription", "Write it down."), "a")))["results"][0]
    assert (result["template"], result["prompt"]) == (None, "Write it down.")


def test_json_says_how_sure_a_rate_is_and_what_it_leaves_unsaid() -> None:
    whole = json.loads(json.dumps(report.to_dict(long_clip()), allow_nan=False))
    assert (whole["metric"], whole["alignment"]) == ("wer", "Levenshtein, unit costs")
    assert whole["reference"] == {"text": LONG, "seeded_by": None, "seed_label": None, "original": None, "segments": []}
    assert whole["key_terms"] == ["word7", "Zolpidem", "word5"]
    assert whole["key_terms_unsaid"] == ["Zolpidem"]
    sphinx, phi = whole["results"][1], whole["results"][3]
    assert sphinx["wer"] == 0.25
    assert sphinx["interval"]["low"] < 0.25 < sphinx["interval"]["high"]
    assert sphinx["interval"]["method"]
    measured = sphinx["measures"]
    assert (measured["key_terms_kept"], measured["key_terms_of"], measured["key_terms_missing"]) == (1, 2, ["word5"])
    assert (measured["words"], measured["words_unit"], measured["longest_wrong_errors"]) == (120, "word", 1)
    assert (phi["interval"], phi["measures"], phi["flags"], phi["agreement"]) == (None, None, [], None)


def test_json_says_of_every_two_systems_whether_they_differ() -> None:
    pairs = report.to_dict(long_clip())["pairs"]
    assert [(pair["first"], pair["second"]) for pair in pairs] == [
        ("moonshine", "pocketsphinx"),
        ("moonshine", "whisper"),
        ("pocketsphinx", "whisper"),
    ]
    assert [pair["verdict"] for pair in pairs] == ["first", "first", "alike"]
    assert pairs[0]["difference"] == -0.25
    assert pairs[0]["p"] <= pairs[0]["corrected_p"] < 0.05
    assert "Moonshine tiny makes fewer errors than PocketSphinx on this clip" in pairs[0]["says"]
    assert "PocketSphinx and Whisper small can't be told apart on this clip" in pairs[2]["says"]


def test_csv_has_the_same_names_whatever_is_known() -> None:
    rows = list(csv.DictReader(io.StringIO(report.to_csv([long_clip(), compared(None, ran(SPHINX, "a"))]))))
    assert len(rows) == 5
    moonshine, sphinx, _, phi, alone = rows
    assert (sphinx["better_than"], sphinx["alike"], moonshine["better_than"]) == ("", "whisper", "pocketsphinx; whisper")
    assert float(sphinx["interval_low"]) < float(sphinx["wer"]) < float(sphinx["interval_high"])
    assert (sphinx["key_terms_kept"], sphinx["key_terms_missing"]) == ("1", "word5")
    assert (phi["interval_low"], phi["words"], phi["flags"]) == ("", "", "")
    assert (alone["reference_edited"], alone["wer"], alone["words"]) == ("", "", "1")
    assert None not in rows[4].values()


def test_the_frame_has_intervals_and_key_terms() -> None:
    row = report.to_frame(long_clip()).set_index("System").loc["PocketSphinx"]
    assert row["95 % from"] < row["WER %"] < row["95 % to"]
    assert row["Key terms"] == "1 of 2"
