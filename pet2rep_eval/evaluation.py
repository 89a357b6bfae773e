"""Pairs + protocol + profile → score sheet, with the baselines that every number has to be seen against."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cache

import numpy as np

from pet2rep_eval import resources
from pet2rep_eval._version import __version__
from pet2rep_eval.alignment import align
from pet2rep_eval.cache import TextCache, code_of, text_hash
from pet2rep_eval.datasets.records import References, Row, Submission
from pet2rep_eval.errors import InputError
from pet2rep_eval.metrics.base import FloatArray, Metric, Words
from pet2rep_eval.metrics.clinical_efficacy import ClinicalEfficacy, EfficacyTables
from pet2rep_eval.metrics.prepared import PreparedText
from pet2rep_eval.metrics.profiles import load_profile
from pet2rep_eval.metrics.several import StatisticsMemo, check_policy
from pet2rep_eval.metrics.several import statistics as study_statistics
from pet2rep_eval.metrics.suite import Composite, Suite
from pet2rep_eval.protocols import OrganStates, Protocol, load_protocol
from pet2rep_eval.records import ABNORMAL_STATES, AlignedSystem, Outcome, Pair, UptakeState
from pet2rep_eval.score_sheet import Baseline, Score, ScoreSheet, StudyResult, Unseen
from pet2rep_eval.significance import RARE, Resampling, intervals
from pet2rep_eval.template import all_normal, render_template
from pet2rep_eval.tokenization import MAX_DROPPED, Tokenizer, detect_language, guard

Progress = Callable[[int], None]

DEFAULT_RESAMPLING = Resampling()
"""Of the intervals, unless told otherwise."""

BASELINES: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "template": ("the benchmark's template, copied", render_template),
    "all_normal": ("the template with every conclusion normal", all_normal),
}
"""Name → title, and language → text."""


class Evaluator:
    """Scores any number of systems against the same references: these are read, cut and fitted once."""

    def __init__(
        self,
        references: Mapping[str, str | Sequence[str]],
        *,
        protocol: str | Protocol = "pet2rep",
        profile: str = "default",
        metrics: Sequence[str] | None = None,
        baselines: bool = True,
        more_baselines: Mapping[str, tuple[str, Mapping[str, str]]] | None = None,
        resampling: Resampling | None = DEFAULT_RESAMPLING,
        policy: str = "first",
        cache: TextCache | None = None,
    ) -> None:
        """*references*: study id → report, or several. *metrics*: names of
        :data:`~pet2rep_eval.metrics.METRICS`, or None for the profile's. *more_baselines*: name → title, and
        study id → text (a prompt's own template). *resampling*: of the intervals, or None for no intervals.
        *policy*: of :data:`~pet2rep_eval.metrics.several.POLICIES`, for studies with several references.
        *cache*: where parses, words and statistics are kept between runs.

        Raises :class:`UnknownNameError`, and :class:`InputError` where a tokenisation drops most of the text.
        """
        if not references:
            raise InputError(
                "There are no reference studies", remedy="Give references with at least one report."
            )
        self.protocol = load_protocol(protocol) if isinstance(protocol, str) else protocol
        self.profile = load_profile(profile)
        self.resampling = resampling
        self.policy = check_policy(policy)
        self.cache = cache
        several = {study: (r,) if isinstance(r, str) else tuple(r) for study, r in references.items()}
        spoken = Counter(detect_language(reports[0]) for reports in several.values() if reports[0])
        # A study known by its id alone has no report: its language is that of most.
        usual = max(spoken, key=lambda language: spoken[language], default="zh")
        self.all_references = {
            study: tuple(
                PreparedText(report, self.profile.text, None if report else usual, cache)
                for report in reports
            )
            for study, reports in several.items()
        }
        self.references = {study: reports[0] for study, reports in self.all_references.items()}
        self.languages = frozenset(spoken) or frozenset({usual})
        suite = Suite.of(self.profile, self.protocol, metrics)
        for tokenizer, languages in self._tokenizers(suite).items():
            texts = [text for text in self.references.values() if text.language in languages]
            guard(tokenizer, ((text.scored_text, text.tokens(tokenizer)) for text in texts))
        self.suite = suite.fit(list(self.references.values()))
        self._memo = StatisticsMemo(cache, self._decided_by()) if cache else None
        self._baselines = baselines
        self._more_baselines = more_baselines or {}
        self._baseline_scores: dict[str, dict[str, float]] | None = None
        self._unseen: Unseen | None = None

    def _tokenizers(self, suite: Suite) -> dict[Tokenizer, set[str]]:
        found: dict[Tokenizer, set[str]] = {}
        for metric in suite.metrics:
            words = getattr(metric, "words", None)
            if isinstance(words, Words):
                for language in self.languages:
                    found.setdefault(words.tokenizer(language), set()).add(language)
        return found

    def _decided_by(self) -> str:
        """Everything that statistics of a study depend on besides its texts; for the cache."""
        told = [
            dict(metric.signature(s, self.languages)) for metric in self.suite.metrics for s in metric.scores
        ]
        made_of = [f"{type(m).__module__}.{type(m).__qualname__}={code_of(m)}" for m in self.suite.metrics]
        fitted = [reference.text for reference in self.references.values()]
        text = [self.profile.text.signature, sorted(self.languages), self.policy, environment()]
        return json.dumps([told, made_of, fitted, text], ensure_ascii=False)

    @property
    def _efficacy(self) -> ClinicalEfficacy | None:
        return next((m for m in self.suite.metrics if isinstance(m, ClinicalEfficacy)), None)

    def score(self, system: AlignedSystem, progress: Progress | None = None) -> ScoreSheet:
        """The score sheet of *system*, whose pairs are exactly the reference studies.

        *progress* is called with the number of studies done.
        """
        ids = [pair.study_id for pair in system.pairs]
        if set(ids) != set(self.references) or len(ids) != len(self.references):
            raise InputError(f"The studies of system '{system.system}' are not those of the references")
        predictions = self._prepare(
            pair.prediction if pair.outcome is Outcome.SCORED else "" for pair in system.pairs
        )
        references = [self.references[study] for study in ids]
        statistics, values = self._values(predictions, ids, progress)
        spread = (
            intervals(statistics, self.suite.aggregate, values, self.resampling) if self.resampling else {}
        )
        by_study = self.suite.aggregate(statistics)
        signatures = self._signatures(system)
        efficacy = self._efficacy
        tables = efficacy.tables(predictions, references) if efficacy else None
        scores = {
            name: Score(name, value, signatures[name], spread.get(name), self._sd(name, by_study))
            for name, value in values.items()
        }
        return ScoreSheet(
            system=system.system,
            protocol=self.protocol.name,
            profile=self.profile.name,
            scores=scores,
            studies=tuple(
                self._study(i, pair, by_study, predictions[i], references[i])
                for i, pair in enumerate(system.pairs)
            ),
            suite=self.suite,
            statistics=statistics,
            efficacy=tables,
            unseen=self.unseen() if efficacy else None,
            baselines=tuple(self._lift(values)),
            notes=(
                *system.notes,
                *self._guard_predictions(predictions, references),
                *_undefined(tables),
                *_rare(tables),
            ),
            unknown_ids=system.unknown_ids,
            provenance=system.provenance,
            environment=environment(),
            resampling=self.resampling,
        )

    def is_cached(self, system: AlignedSystem) -> bool:
        """Whether the statistics of all studies of *system* are in the cache."""
        if self._memo is None:
            return False
        return all(
            self._memo.holds(
                pair.prediction if pair.outcome is Outcome.SCORED else "",
                self.all_references[pair.study_id][: 1 if self.policy == "first" else None],
            )
            for pair in system.pairs
        )

    def _prepare(self, texts: Iterable[str]) -> list[PreparedText]:
        """Equal texts are prepared once: a template copier writes the same report every time."""
        known: dict[str, PreparedText] = {}
        policy, cache = self.profile.text, self.cache
        return [known.setdefault(t, PreparedText(t, policy, cache=cache)) for t in texts]

    def _values(
        self,
        predictions: Sequence[PreparedText],
        ids: Sequence[str],
        progress: Progress | None = None,
    ) -> tuple[FloatArray, dict[str, float]]:
        references = [self.all_references[study] for study in ids]
        statistics = study_statistics(self.suite, predictions, references, self.policy, progress, self._memo)
        if self.cache:
            self.cache.flush()
        if self.policy != "first" and any(len(reports) > 1 for reports in references):
            totals = self.suite.aggregate(statistics.sum(0))
            return statistics, {name: float(totals[name]) for name in self.suite.scores}
        firsts = [reports[0] for reports in references]
        return statistics, self.suite.point_values(statistics, predictions, firsts)

    def _study(
        self,
        place: int,
        pair: Pair,
        by_study: Mapping[str, FloatArray],
        prediction: PreparedText,
        reference: PreparedText,
    ) -> StudyResult:
        scores = {name: float(by_study[name][place]) for name in self.suite.scores}
        if self._efficacy is None:
            return StudyResult(pair, scores)
        states = (_shared(text.states(self.protocol)) for text in (reference, prediction))
        return StudyResult(pair, scores, *states)

    def _sd(self, name: str, by_study: Mapping[str, FloatArray]) -> float | None:
        if name not in self.suite.means or len(self.references) < 2:
            return None
        return float(np.std(by_study[name], ddof=1))

    def _guard_predictions(
        self, predictions: Sequence[PreparedText], references: Sequence[PreparedText]
    ) -> list[str]:
        """A system that writes in the wrong script is not refused, but the reader must know."""
        notes = []
        for tokenizer, languages in self._tokenizers(self.suite).items():
            texts = [
                prediction
                for prediction, reference in zip(predictions, references, strict=True)
                if reference.language in languages
            ]
            share = self._dropped(tokenizer, texts)
            if share > MAX_DROPPED:
                notes.append(
                    f"The tokenisation '{tokenizer.name}' drops {share:.0%} of the predictions' characters."
                )
        return notes

    def _dropped(self, tokenizer: Tokenizer, texts: Sequence[PreparedText]) -> float:
        key = (tokenizer.signature.encode(), *(text_hash(text.text) for text in texts))
        kept = self.cache.get("dropped", *key) if self.cache else None
        if kept is not None:
            return float(kept)
        share = guard(tokenizer, ((t.scored_text, t.tokens(tokenizer)) for t in texts), limit=1.0)
        if self.cache:
            self.cache.put(repr(share).encode(), "dropped", *key)
        return share

    def _lift(self, values: Mapping[str, float]) -> Iterable[Baseline]:
        titles = {name: title for name, (title, _) in BASELINES.items()}
        titles |= {name: title for name, (title, _) in self._more_baselines.items()}
        for name, scores in self.baseline_scores().items():
            yield Baseline(
                name, titles[name], scores, {score: values[score] - scores[score] for score in scores}
            )

    def baseline_scores(self) -> dict[str, dict[str, float]]:
        """Baseline → its scores on these references; computed at the first call."""
        if self._baseline_scores is None:
            references = list(self.references.values())
            texts: dict[str, list[str]] = {}
            if self._baselines:
                for name, (_, write) in BASELINES.items():
                    by_language = {language: write(language) for language in self.languages}
                    texts[name] = [by_language[reference.language] for reference in references]
                for name, (_, by_study) in self._more_baselines.items():
                    texts[name] = [by_study.get(study, "") for study in self.references]
            self._baseline_scores = {
                name: self._values(self._prepare(reports), list(self.references))[1]
                for name, reports in texts.items()
            }
        return self._baseline_scores

    def unseen(self) -> Unseen:
        """The abnormal statements of the references that the protocol does not see."""
        if self._unseen is None:
            seen = self.protocol.sites
            total: Counter[str] = Counter(
                statement.organ or statement.region or ""
                for reference in self.references.values()
                for statement in reference.report.statements
                if statement.state in ABNORMAL_STATES
            )
            sites = {site: count for site, count in total.most_common() if site not in seen}
            self._unseen = Unseen(total.total(), sum(sites.values()), sites)
        return self._unseen

    def _signatures(self, system: AlignedSystem) -> dict[str, str]:
        return {name: "|".join(self._signature(name, system)) for name in self.suite.scores}

    def _signature(self, score: str, system: AlignedSystem) -> Iterable[str]:
        yield score
        metric = self.suite.metric_of(score)
        fields: dict[str, str] = {}
        parsed = True
        if isinstance(metric, Composite):
            fields["mean-of"] = "+".join(metric.parts)
        elif isinstance(metric, Metric):
            fields |= metric.signature(score, self.languages)
            if metric.level == "text":
                fields |= self.profile.text.signature | {"missing": "0"}
                parsed = self.profile.text.section == "findings"
        fields |= {"refs": self.policy, "profile": self.profile.name}
        if self.profile.inferred:
            fields["inferred"] = ",".join(self.profile.inferred)
        fields |= system.provenance
        if parsed:
            fields |= {kind: resources.content_hash(kind) for kind in ("lexicons", "grammars")}
        fields |= {"n": str(len(self.references)), "version": __version__}
        yield from (f"{key}:{value}" for key, value in fields.items())


def score_systems(
    systems: Sequence[AlignedSystem],
    *,
    protocol: str | Protocol = "pet2rep",
    profile: str = "default",
    metrics: Sequence[str] | None = None,
    templates: Sequence[Mapping[str, str]] | None = None,
    progress: Progress | None = None,
    resampling: Resampling | None = DEFAULT_RESAMPLING,
    policy: str = "first",
    baselines: bool = True,
    cache: TextCache | None = None,
) -> list[ScoreSheet]:
    """Score sheets of several systems; those with the same references share all work on them.

    *templates*: for each system, study id → the template in its prompt, which then is a third baseline.
    *progress* is called with the number of studies done over all systems.
    """
    evaluators: dict[Hashable, Evaluator] = {}
    sheets: list[ScoreSheet] = []
    done = 0
    for place, system in enumerate(systems):
        told = templates[place] if templates else {}
        references = {pair.study_id: pair.references for pair in system.pairs}
        key = (*references.items(), *told.items())
        if key not in evaluators:
            evaluators[key] = Evaluator(
                references,
                protocol=protocol,
                profile=profile,
                metrics=metrics,
                baselines=baselines,
                cache=cache,
                more_baselines={"prompt_template": ("the template in each prompt", told)} if told else None,
                resampling=resampling,
                policy=policy,
            )
        step = (lambda count, before=done: progress(before + count)) if progress else None
        sheets.append(evaluators[key].score(system, step))
        done += len(system.pairs)
    return sheets


_PROMPT_TEMPLATE = re.compile(r"<template>(.*?)</template>", re.DOTALL)


def prompt_templates(submission: Submission) -> dict[str, str]:
    """Study id → the report template that stands in its prompt; empty unless every prompt has one.

    PETRG-3D puts a sex-matched healthy report between ``<template>`` and ``</template>``, with ``\\n``
    written out; whoever copies it scores well, so it belongs beside every system that was shown it.
    """
    found: dict[str, str] = {}
    for row in submission.rows:
        match = _PROMPT_TEMPLATE.search(row.prompt)
        if not match:
            return {}
        found[row.study_id] = re.sub(r"\\+n", "\n", match[1]).strip()
    return found


def evaluate(
    system: AlignedSystem | Mapping[str, str],
    references: Mapping[str, str | Sequence[str]] | None = None,
    *,
    protocol: str | Protocol = "pet2rep",
    profile: str = "default",
    metrics: Sequence[str] | None = None,
    resampling: Resampling | None = DEFAULT_RESAMPLING,
    policy: str = "first",
) -> ScoreSheet:
    """Score one system.

    *system* is an aligned system, or study id → predicted report; then *references* is study id → report (or
    several; *policy*: the ``first`` counts, the ``best`` or the ``mean``). A study without a prediction
    counts as failed.
    Raises :class:`InputError` and :class:`UnknownNameError`.
    """
    if not isinstance(system, AlignedSystem):
        if references is None:
            raise InputError(
                "There are no references", remedy="Give study id → report as the second argument."
            )
        rows = tuple(Row(study, text, line) for line, (study, text) in enumerate(system.items(), 1))
        known = {study: (r,) if isinstance(r, str) else tuple(r) for study, r in references.items()}
        system = align(Submission("predictions", rows), References(known))
    return score_systems(
        [system], protocol=protocol, profile=profile, metrics=metrics, resampling=resampling, policy=policy
    )[0]


@cache
def _one_set(states: frozenset[UptakeState]) -> frozenset[UptakeState]:
    return states


def _shared(states: OrganStates) -> OrganStates:
    """*states* with equal sets being one object: there are few, and many sheets are kept and sent."""
    return {organ: _one_set(found) for organ, found in states.items()}


def _rare(tables: EfficacyTables | None) -> list[str]:
    """A sentence where intervals of CE rest on few cases."""
    counts = {label: row.support for label, row in tables.per_class.items()} if tables else {}
    rare = [f"'{label}' ({count})" for label, count in counts.items() if 0 < count < RARE]
    if not rare:
        return []
    return [
        f"Fewer than {RARE} labels in the references: {', '.join(rare)}. Intervals of CE rest on few cases and "
        "can cover less than they say."
    ]


def _undefined(tables: EfficacyTables | None) -> list[str]:
    """A sentence for every class whose precision or recall divides by zero."""
    notes = []
    for label, row in tables.per_class.items() if tables else ():
        if not row.support:
            notes.append(
                f"No reference states '{label}' in an organ of the protocol: its recall and F1 count as 0."
            )
        if not row.predicted:
            notes.append(
                f"No prediction states '{label}' in an organ of the protocol: its precision counts as 0."
            )
    return notes


@cache
def environment() -> dict[str, str]:
    """Versions and hashes that can move a number."""
    import platform
    from importlib.metadata import version

    packages = ("jieba", "spacy", "nltk", "rapidfuzz", "scikit-learn", "numpy", "lark")
    return {
        "pet2rep_eval": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
        "lexicons": resources.content_hash("lexicons"),
        "grammars": resources.content_hash("grammars"),
    }
