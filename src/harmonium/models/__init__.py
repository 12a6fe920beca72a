"""Models put together from units and couplings."""

from harmonium.models.dbm import DBM, MeanField
from harmonium.models.dbn import DBN, Directed
from harmonium.models.doubled import composed, doubled
from harmonium.models.gauge import zero_sum_gauge
from harmonium.models.normalisable import check_normalisable
from harmonium.models.rbm import RBM, Phase
from harmonium.models.saving import load, save
from harmonium.models.turned import turned

__all__ = [
    "DBM",
    "DBN",
    "RBM",
    "Directed",
    "MeanField",
    "Phase",
    "check_normalisable",
    "composed",
    "doubled",
    "load",
    "save",
    "turned",
    "zero_sum_gauge",
]
