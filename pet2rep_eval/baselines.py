"""Systems that look at no image: what their texts score is what a score is worth.

Each takes the references of all studies and gives study id → report. ``template`` and ``all_normal`` are
what a careless model writes; ``most_frequent`` knows how often each organ is abnormal; ``shuffled`` gives
every study the report of another; ``nearest`` gives it the most similar report of another, which needs the
reference itself and so bounds what retrieval from these reports could reach.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pet2rep_eval.errors import UnknownNameError
from pet2rep_eval.parsing import parse_report
from pet2rep_eval.records import AlignedSystem, Outcome, ParsedReport, UptakeState, most_abnormal
from pet2rep_eval.template import all_normal, render, render_template, template_organs
from pet2rep_eval.tokenization import Tokens, detect_language, load_tokenizer

Texts = Mapping[str, str]
"""Study id → report."""

Read = Callable[[str], ParsedReport]


def _by_language(references: Texts, write: Callable[[str], str]) -> dict[str, str]:
    spoken = {study: detect_language(report) for study, report in references.items()}
    written = {language: write(language) for language in set(spoken.values())}
    return {study: written[language] for study, language in spoken.items()}


def template(references: Texts, seed: int = 0, read: Read = parse_report) -> dict[str, str]:
    """The benchmark's template, word for word, in the language of each reference."""
    return _by_language(references, render_template)


def normal(references: Texts, seed: int = 0, read: Read = parse_report) -> dict[str, str]:
    """The template with every conclusion normal."""
    return _by_language(references, all_normal)


def most_frequent(references: Texts, seed: int = 0, read: Read = parse_report) -> dict[str, str]:
    """The template with each organ in the state that most references give it; not stated counts as normal.

    Ties go to the more abnormal state.
    """
    counts: dict[str, Counter[UptakeState]] = {organ: Counter() for organ in template_organs()}
    for report in references.values():
        stated = read(report).states
        for organ, count in counts.items():
            count[most_abnormal(stated.get(organ, frozenset())) or UptakeState.NORMAL] += 1
    order = list(UptakeState)
    states = {o: max(order, key=lambda s, c=c: (c[s], -order.index(s))) for o, c in counts.items()}  # type: ignore[misc]
    return _by_language(references, lambda language: render(_agreeing(states, counts), language))


def _agreeing(
    states: Mapping[str, UptakeState], counts: Mapping[str, Counter[UptakeState]]
) -> dict[str, UptakeState]:
    """Organs that share a slot of the template get the state that most references give to any of them."""
    from pet2rep_eval.template import slots

    found = dict(states)
    for slot in slots():
        together = [organ for organ in slot.organs if organ in found]
        if len(together) > 1:
            pooled = sum((counts[organ] for organ in together), Counter[UptakeState]())
            common = pooled.most_common(1)[0][0]
            found |= dict.fromkeys(together, common)
    return found


def shuffled(references: Texts, seed: int = 0, read: Read = parse_report) -> dict[str, str]:
    """Every study gets the reference of another; with one study, its own is all there is.

    A random cycle through all studies: none keeps its own.
    """
    order = np.random.default_rng(seed).permutation(len(references))
    studies, reports = list(references), list(references.values())
    following = np.roll(order, -1)
    given = dict(zip(order.tolist(), following.tolist(), strict=True))
    return {study: reports[given[i]] for i, study in enumerate(studies)}


def nearest(references: Texts, seed: int = 0, read: Read = parse_report) -> dict[str, str]:
    """Every study gets the reference of the study whose words are most like its own (cosine of TF-IDF)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    studies, reports = list(references), list(references.values())
    if len(studies) < 2 or not any(report.split() for report in reports):
        return dict(references)
    vectors = TfidfVectorizer(analyzer=_words, sublinear_tf=True).fit_transform(reports)
    likeness = (vectors @ vectors.T).toarray()
    np.fill_diagonal(likeness, -1.0)
    return {study: reports[i] for study, i in zip(studies, likeness.argmax(1).tolist(), strict=True)}


def _words(report: str) -> Tokens:
    return load_tokenizer("jieba" if detect_language(report) == "zh" else "spacy")(report)


@dataclass(frozen=True, slots=True)
class BaselineKind:
    """A baseline and how a table calls it."""

    title: str
    write: Callable[[Texts, int, Read], dict[str, str]]
    """References, seed, and how reports are read → texts."""


BASELINES: Mapping[str, BaselineKind] = {
    "template": BaselineKind("the benchmark's template, copied", template),
    "all_normal": BaselineKind("the template with every conclusion normal", normal),
    "most_frequent": BaselineKind("the template with the most frequent state of each organ", most_frequent),
    "shuffled": BaselineKind("the reference of another study", shuffled),
    "nearest": BaselineKind("the most similar reference of another study", nearest),
}


def baseline_system(
    name: str, like: AlignedSystem, seed: int = 0, read: Read = parse_report
) -> AlignedSystem:
    """The baseline *name* on the studies and references of *like*. Raises :class:`UnknownNameError`."""
    if name not in BASELINES:
        raise UnknownNameError("baseline", name, BASELINES)
    written = BASELINES[name].write({pair.study_id: pair.reference for pair in like.pairs}, seed, read)
    return written_system(name, like, written)


def written_system(name: str, like: AlignedSystem, texts: Texts) -> AlignedSystem:
    """A system that wrote *texts* (study id → report) for the studies of *like*."""
    pairs = tuple(
        replace(
            pair,
            prediction=texts.get(pair.study_id, ""),
            outcome=Outcome.SCORED if texts.get(pair.study_id) else Outcome.MISSING,
            flags=frozenset(),
        )
        for pair in like.pairs
    )
    return AlignedSystem(name, pairs)
