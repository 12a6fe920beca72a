"""The models that have a partition function."""

from __future__ import annotations

from harmonium.models import DBM, DBN, RBM, BoltzmannMachine


def check_machine(model: object, what: str, *, general: bool = False) -> None:
    """Raise a TypeError that says what to do instead, unless the model is an RBM or, with `general`, any Boltzmann machine."""
    if isinstance(model, RBM) or (general and isinstance(model, BoltzmannMachine)):
        return
    if isinstance(model, BoltzmannMachine):
        advice = "for log Z of a general Boltzmann machine use hm.likelihood.exact_log_z"
    elif isinstance(model, DBN):
        advice = "a net's partition function is that of its `top`, and hm.likelihood.dbn_bound bounds its log p"
    elif isinstance(model, DBM):
        advice = "the partition function of a deep Boltzmann machine is that of its `joint`, and hm.likelihood.dbm_bound bounds its log p"
    else:
        advice = "a normalised model gives its log-probabilities by model.log_probability(v)"
    raise TypeError(f"{what} takes an RBM{' or a Boltzmann machine' if general else ''}, found {type(model).__name__}; {advice}")
