"""The cache of parses, words and statistics: equal results, keys, two processes, broken and deleted files."""

from __future__ import annotations

import multiprocessing
import pickle
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pet2rep_eval import cache as cache_module
from pet2rep_eval.cache import FILE, TextCache, code_hash, code_of, decode_report, encode_report
from pet2rep_eval.evaluation import Evaluator, score_systems
from pet2rep_eval.leaderboard import Contender, compare
from pet2rep_eval.leaderboard import processes as processes_module
from pet2rep_eval.leaderboard.processes import Task, score_in_processes
from pet2rep_eval.parsing import parse_report
from pet2rep_eval.records import ParsedReport
from pet2rep_eval.significance import Resampling
from tests.test_leaderboard import reports, system, worse

REPORT = (
    "影像所见：\n双肺见多发结节，较大者约2.3×1.8cm，FDG摄取增高，SUVmax 5.6，延迟SUVmax 6.1。肝脏未见异常摄取。"
    "盆腔未见异常摄取。\n影像诊断：肺癌。"
)


def never(*_: object) -> Any:
    raise AssertionError("it was computed again")


def test_a_parse_comes_back_as_it_was() -> None:
    for text in (REPORT, "The liver shows increased uptake.\n\nIMPRESSION: none.", "", "天气很好"):
        report = parse_report(text)
        again = decode_report(text, encode_report(report))
        assert again == report
        assert again.steps == report.steps
        assert again.states == report.states


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.text(max_size=80))
def test_any_text_comes_back_from_the_file(tmp_path: Path, text: str) -> None:
    with TextCache(tmp_path) as cache:
        first = cache.report(text, parse_report)
        words = cache.tokens(text, "words", lambda: list(text))
    with TextCache(tmp_path) as cache:
        assert cache.report(text, never) == first
        assert cache.tokens(text, "words", never) == words == tuple(text)
        assert (cache.hits, cache.misses, cache.problem) == (2, 0, "")


def test_other_words_other_rules_and_other_vocabulary_are_other_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TextCache(tmp_path) as cache:
        cache.tokens("abc", "one", lambda: ["abc"])
        assert cache.tokens("abc", "other", lambda: ["a", "bc"]) == ("a", "bc")
        assert cache.tokens("abc ", "one", lambda: ["x"]) == ("x",)
        cache.flush()
        monkeypatch.setattr(cache_module, "_rules", lambda: b"another lexicon")
        assert cache.tokens("abc", "one", lambda: ["new"]) == ("new",)


def test_the_rules_hold_lexicons_grammars_code_and_version() -> None:
    from pet2rep_eval import __version__, resources

    rules = cache_module._rules().decode().split("|")
    assert rules == [
        __version__,
        code_hash(),
        resources.content_hash("lexicons"),
        resources.content_hash("grammars"),
    ]
    assert code_of(TextCache) != code_of(Evaluator({"a": "x"})) != "unknown"
    assert code_of(object()) == "unknown"


@pytest.mark.parametrize("policy", ["first", "best", "mean"])
def test_scores_from_the_cache_are_the_scores(tmp_path: Path, policy: str) -> None:
    references = reports(12)
    predictions = system("one", worse(references, 0.4, 1), references)
    plain = score_systems([predictions], policy=policy, resampling=Resampling(100))[0]
    with TextCache(tmp_path) as cache:
        cold = score_systems([predictions], policy=policy, resampling=Resampling(100), cache=cache)[0]
    with TextCache(tmp_path) as cache:
        warm = score_systems([predictions], policy=policy, resampling=Resampling(100), cache=cache)[0]
        assert cache.misses == 0
        assert cache.hits > 0
    for sheet in (cold, warm):
        assert np.array_equal(sheet.statistics, plain.statistics)
        assert sheet.to_dict() == plain.to_dict()
        assert [study.to_dict() for study in sheet.studies] == [study.to_dict() for study in plain.studies]


def test_nothing_is_parsed_or_cut_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pet2rep_eval.metrics.meteor import Meteor

    references = reports(6)
    predictions = system("one", worse(references, 0.4, 1), references)
    with TextCache(tmp_path) as cache:
        score_systems([predictions], cache=cache, resampling=None)
    monkeypatch.setattr("pet2rep_eval.parsing.parse_report", never)
    monkeypatch.setattr(Meteor, "study_statistics", never)
    with TextCache(tmp_path) as cache:
        score_systems([predictions], cache=cache, resampling=None)


def test_other_references_are_other_statistics(tmp_path: Path) -> None:
    """CIDEr counts over all references: the statistics of a study depend on the others."""
    few, many = reports(4), reports(12)
    texts = worse(few, 0.5, 1)
    with TextCache(tmp_path) as cache:
        score_systems([system("a", texts, few)], cache=cache, resampling=None)
        evaluator = Evaluator(few, cache=cache, resampling=None)
        assert evaluator.is_cached(system("a", texts, few))
        assert not Evaluator(many, cache=cache, resampling=None).is_cached(system("a", texts, few))
        assert not Evaluator(few, cache=cache, profile="petrg-3d").is_cached(system("a", texts, few))
    assert not Evaluator(few, resampling=None).is_cached(system("a", texts, few))


def test_a_deleted_cache_costs_time_alone(tmp_path: Path) -> None:
    cache = TextCache(tmp_path / "cache")
    cache.tokens("abc", "one", lambda: ["abc"])
    cache.flush()
    shutil.rmtree(tmp_path / "cache")
    assert cache.tokens("abcd", "one", lambda: ["abcd"]) == ("abcd",)
    cache.close()
    with TextCache(tmp_path / "cache") as again:
        assert again.tokens("abc", "one", lambda: ["computed"]) == ("computed",)
        assert again.problem == ""


def test_a_broken_file_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is not a database" * 100)
    with TextCache(tmp_path) as cache:
        assert cache.problem == ""
        assert cache.tokens("abc", "one", lambda: ["abc"]) == ("abc",)
    with TextCache(tmp_path) as cache:
        assert cache.tokens("abc", "one", never) == ("abc",)


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with TextCache(tmp_path / "file") as cache:
        assert "is not used" in cache.problem
        assert cache.report(REPORT, parse_report) == parse_report(REPORT)
        assert cache.get("report", b"x") is None


def test_an_error_while_reading_or_writing_is_no_error_of_the_run(tmp_path: Path) -> None:
    class Broken:
        def execute(self, *_: object) -> None:
            raise sqlite3.OperationalError("disk I/O error")

    for use in ("get", "put"):
        cache = TextCache(tmp_path / use)
        cache._connection = Broken()  # type: ignore[assignment]
        if use == "put":
            cache._new[b"key"] = b"value"
            cache.flush()
        else:
            assert cache.get("tokens", b"x") is None
        assert "disk I/O error" in cache.problem


def _fill(folder: Path, which: int, count: int) -> None:
    with TextCache(folder) as cache:
        for i in range(count):
            cache.tokens(f"text {i}", "shared", lambda i=i: [str(i)])  # type: ignore[misc]
            cache.tokens(f"text {i}", f"own {which}", lambda: [str(which)])
            if i % 7 == 0:
                cache.flush()
        assert cache.problem == ""


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_fill, args=(tmp_path, which, 300)) for which in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    with TextCache(tmp_path) as cache:
        for i in range(300):
            assert cache.tokens(f"text {i}", "shared", never) == (str(i),)
            for which in range(2):
                assert cache.tokens(f"text {i}", f"own {which}", never) == (str(which),)


def test_it_goes_to_another_process_as_its_folder(tmp_path: Path) -> None:
    with TextCache(tmp_path) as cache:
        cache.tokens("abc", "one", lambda: ["abc"])
        cache.flush()
        with pickle.loads(pickle.dumps(cache)) as copy:
            assert copy.tokens("abc", "one", never) == ("abc",)


def test_processes_give_the_same_sheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes_module, "WORTHWHILE", 0)
    references = reports(8)
    systems = [system(f"s{i}", worse(references, i / 4, i), references) for i in range(3)]
    task = Task(metrics=("bleu", "clinical_efficacy"))
    alone = score_in_processes(systems, task, workers=1)
    with TextCache(tmp_path) as cache:
        # One of the systems is in the cache already and is not given to a process.
        score_in_processes(systems[1:2], task, cache=cache)
        done: list[int] = []
        together = score_in_processes(systems, task, workers=2, cache=cache, progress=done.append)
    assert [sheet.to_dict() for sheet in together] == [sheet.to_dict() for sheet in alone]
    assert done[-1] in (8, 16)
    contenders = [Contender(sheet.system, (sheet,)) for sheet in together]
    compared = compare(contenders, resampling=Resampling(50), trials=20)
    assert {entry.name for entry in compared.entries} == {"s0", "s1", "s2"}


def test_the_parse_of_a_report_keeps_its_type(tmp_path: Path) -> None:
    with TextCache(tmp_path) as cache:
        cache.report(REPORT, parse_report)
        again = cache.report(REPORT, never)
    assert isinstance(again, ParsedReport)
    assert {type(s) for s in again.statements} == {type(s) for s in parse_report(REPORT).statements}
