"""Metrics: statistics of a study that add up, one aggregation, one signature. One idea a file."""

from __future__ import annotations

from pet2rep_eval.registry import Registry

METRICS = Registry(
    "metric",
    {
        "bleu": "pet2rep_eval.metrics.bleu:Bleu",
        "meteor": "pet2rep_eval.metrics.meteor:Meteor",
        "rouge": "pet2rep_eval.metrics.rouge:Rouge",
        "cider": "pet2rep_eval.metrics.cider:Cider",
        "clinical_efficacy": "pet2rep_eval.metrics.clinical_efficacy:ClinicalEfficacy",
        "crg": "pet2rep_eval.metrics.crg:Crg",
        "structure": "pet2rep_eval.metrics.structure:Structure",
    },
)
"""Metric → its class, called with a :class:`~pet2rep_eval.metrics.base.MetricContext` and a profile's
options. Other packages add theirs under the entry point group ``pet2rep_eval.metrics``."""
