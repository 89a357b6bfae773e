"""Share of the reference's distinct characters that the prediction has too."""

import numpy as np

from pet2rep_eval.metrics.base import Metric, ratio


class CharactersInCommon(Metric):
    """Statistics: 1, and the share of the study."""

    name = "characters_in_common"
    scores = ("characters_in_common",)
    width = 2
    means = frozenset(scores)

    def __init__(self, context):
        self.context = context

    def study_statistics(self, prediction, reference):
        theirs = set(reference.scored_text)
        common = len(theirs & set(prediction.scored_text))
        return np.array([1.0, common / len(theirs) if theirs else 0.0])

    def aggregate(self, totals):
        return {"characters_in_common": ratio(totals[..., 1], totals[..., 0])}

    def signature(self, score, languages):
        return {"avg": "mean-over-studies", "of": "distinct-characters"}
