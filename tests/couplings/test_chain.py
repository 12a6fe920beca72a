"""Layers joined one above the other, against the matrix of the whole written out by loops."""

import itertools

import numpy as np
import pytest
import torch

import harmonium as hm
from tests import oracle
from tests.couplings import checks
from tests.models.machines import LAYERS, close, parts

SIZES = [(3, 4), (3, 2, 4), (3, 4, 2, 5), (2, 3, 2, 4, 3)]


def chain(sizes, seed=0):
    """Dense and low-rank couplings by turns."""
    links = []
    for layer, (a, b) in enumerate(itertools.pairwise(sizes)):
        links.append(hm.LowRank(a, b, rank=2, seed=layer) if layer % 2 else hm.Dense(a, b, seed=layer))
    return checks.randomised(hm.Chain(links), seed)


def whole(coupling, sizes):
    """The matrix between the even layers and the odd ones, unit by unit."""
    start, place = [], [0, 0]
    for layer, size in enumerate(sizes):
        start.append(place[layer % 2])
        place[layer % 2] += size
    matrix = np.zeros(place)
    for layer, link in enumerate(coupling.links()):
        block = link.matrix().detach().numpy()
        for i, j in np.ndindex(*block.shape):
            pair = (start[layer] + i, start[layer + 1] + j)
            matrix[pair if layer % 2 == 0 else pair[::-1]] = block[i, j]
    return matrix


@pytest.mark.parametrize("leading", checks.LEADING)
@pytest.mark.parametrize("sizes", SIZES)
def test_inputs_interaction_and_gradient(sizes, leading):
    coupling = chain(sizes)
    checks.is_bilinear_in(coupling, whole(coupling, sizes), leading)
    checks.has_the_gradient_of_its_interaction(coupling, leading)


def test_scales_are_those_of_each_pair_of_neighbours():
    """Where the states are multiplied, weights multiplied likewise give the statistics, divided by as much, the same interaction."""
    sizes = (3, 4, 2, 5)
    coupling = chain(sizes)
    draw = np.random.default_rng(0)
    of_v, of_h = (torch.tensor(draw.uniform(0.5, 2, size)) for size in (*coupling.visible, *coupling.hidden))
    s_v, s_h, _ = checks.statistics(coupling, (6,))
    before = coupling.interaction(s_v, s_h)
    with torch.no_grad():
        for name, factor in coupling.scales(of_v, of_h).items():
            coupling.get_parameter(name).mul_(factor)
    close(coupling.interaction(s_v / of_v, s_h / of_h), before, 1e-12)
    assert set(coupling.scales(2.0, 3.0)) == {name for name, _ in coupling.named_parameters()}


def test_a_context_drives_the_layers_that_it_is_wired_to():
    """Dynamic biases of a middle coupling belong to both of its layers, whichever side these are on."""
    links = [hm.Dense(3, 2), hm.Conditional(hm.Dense(2, 4), 2), hm.Dense(4, 2)]
    coupling = checks.randomised(hm.Chain(links))
    context = torch.tensor(np.random.default_rng(1).normal(size=(5, 2)))
    given = hm.Given(context=context)
    s_v, s_h, _ = checks.statistics(coupling, (5,))
    shift_below, shift_above = (context @ links[1].dynamic[side] for side in ("visible", "hidden"))
    matrix = torch.tensor(whole(coupling.core, (3, 2, 4, 2)))
    dynamic = (s_h[:, :2] * shift_below).sum(1) + (s_v[:, 3:] * shift_above).sum(1)
    close(coupling.interaction(s_v, s_h, given), ((s_v @ matrix) * s_h).sum(1) + dynamic, 1e-12)
    other = (coupling.to_visible(s_h, given) * s_v).sum(1) + coupling.hidden_alone(s_h, given)
    close(other, coupling.interaction(s_v, s_h, given), 1e-12)
    checks.has_the_gradient_of_its_interaction(coupling, (5,), given)
    close(coupling.core.matrix(), matrix, 1e-12)


@pytest.mark.parametrize(
    "kinds", [("bernoulli", "bernoulli", "softmax"), ("gaussian", "bernoulli", "spin"), ("softmax", "bernoulli", "binomial", "spin")]
)
def test_in_a_machine(kinds):
    even, odd = (hm.Groups(*(LAYERS[kind]() for kind in kinds[side::2])) for side in (0, 1))
    units = [LAYERS[kind]() for kind in kinds]
    links = [hm.Dense(a.statistic_shape, b.statistic_shape) for a, b in itertools.pairwise(units)]
    rbm = checks.machine(even, odd, hm.Chain(links), size=0.4)
    cases = checks.states(even, (6,))
    checks.has_the_gradient_of_its_free_energy(rbm, cases)
    checks.obeys_bayes(rbm, cases, checks.states(odd, (6,)))
    plain = oracle.Machine(parts(even), parts(odd), whole(rbm.coupling, rbm.coupling.sizes))
    close(rbm.free_energy(cases), oracle.free_energy(plain, cases.numpy()))
    assert hm.likelihood.exact_log_z(rbm) == pytest.approx(oracle.log_z(plain), abs=1e-5)


def test_saved(tmp_path):
    rbm = checks.randomised(hm.RBM(hm.Bernoulli(7), hm.Bernoulli(2), chain((3, 2, 4)))).float()
    found = checks.round_trip(rbm, tmp_path / "rbm", checks.states(rbm.visible, (4,)))
    assert [type(link).__name__ for link in found.coupling.links()] == ["Dense", "LowRank"]


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ([], "one or more"),
        ([hm.Dense((2, 2), 3)], "flat"),
        ([hm.Dense(2, 3), hm.Dense(4, 2)], r"share layer 1, found shape \(3,\) from below and \(4,\) from above"),
    ],
)
def test_what_is_no_chain_is_refused(links, message):
    with pytest.raises(ValueError, match=message):
        hm.Chain(links)
