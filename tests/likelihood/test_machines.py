"""What takes a machine with a partition function says so to other models, and what to do instead."""

import pytest
import torch

import harmonium as hm

V = torch.zeros(4, 3)
GENERAL = hm.BoltzmannMachine(hm.Bernoulli(3), hm.Bernoulli(2))
NORMALISED = [hm.SigmoidBeliefNet([hm.Bernoulli(3), hm.Bernoulli(2)]), hm.Mixture([hm.Bernoulli(3)])]
NET = hm.DBN([hm.RBM(hm.Bernoulli(3), hm.Bernoulli(2))])


@pytest.mark.parametrize("model", NORMALISED, ids=["belief net", "mixture"])
def test_normalised_models_have_their_own_log_probability(model):
    for call in (
        lambda: hm.likelihood.exact_log_z(model),
        lambda: hm.likelihood.exact_moments(model),
        lambda: hm.likelihood.log_likelihood(model, V, log_z=0.0),
        lambda: hm.likelihood.ais(model),
    ):
        with pytest.raises(TypeError, match=r"takes an RBM.*log_probability\(v\)"):
            call()


def test_nets_and_general_machines():
    with pytest.raises(TypeError, match="found DBN; a net's partition function is that of its `top`"):
        hm.likelihood.exact_log_z(NET)
    with pytest.raises(TypeError, match=r"annealing takes an RBM, found BoltzmannMachine; .*exact_log_z"):
        hm.likelihood.ais(GENERAL)


def test_what_the_trainer_does_not_learn():
    for model in (GENERAL, *NORMALISED):
        for learn in (hm.fit, hm.wake_sleep):
            with pytest.raises(TypeError, match="accumulate_gradient"):
                learn(model, V)
    with pytest.raises(TypeError, match=r"found DBN: hm\.greedy and hm\.wake_sleep"):
        hm.fit(NET, V)
    with pytest.raises(TypeError, match=r"found RBM: hm\.fit learns that"):
        hm.wake_sleep(NET.top, V)
