"""A deep machine without its upper layer, against every state of every layer listed."""

from pathlib import Path

import numpy as np
import torch

import harmonium as hm
from harmonium.recipes import MnistDbm
from harmonium.recipes.dbm import ablation
from harmonium.recipes.dbm.ablation import refitted, without_upper
from harmonium.recipes.shared.variational_bound import bound
from harmonium.runs import Run
from tests import deep, oracle
from tests.models.machines import plain


def machine(seed: int = 0) -> hm.DBM:
    found = hm.DBM([hm.Bernoulli(4), hm.Bernoulli(3), hm.Bernoulli(2)], seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.normal_(generator=generator)
    return found


def every() -> torch.Tensor:
    return torch.tensor([[float(n >> place & 1) for place in range(4)] for n in range(16)])


def test_with_upper_weights_of_zero_the_machine_is_the_rbm() -> None:
    """The oracle's log p(v) of the deep machine whose upper weights are zero is that of the RBM; only there do the two agree."""
    dbm, v = machine(), every()
    rbm = without_upper(dbm, v)
    assert np.abs(oracle.log_likelihood(plain(rbm), v.numpy()) - deep.log_likelihood(deep.plain(dbm), v.numpy())).max() > 0.02
    with torch.no_grad():
        dbm.couplings[1].get_parameter("weight").zero_()
    rbm = without_upper(dbm, v)
    np.testing.assert_allclose(oracle.log_likelihood(plain(rbm), v.numpy()), deep.log_likelihood(deep.plain(dbm), v.numpy()), atol=1e-5)


def test_a_constant_from_above_is_no_loss() -> None:
    """An upper layer whose units are always on sends a constant: without it the machine is as good."""
    dbm, v = machine(), every()
    with torch.no_grad():
        dbm.layers[2].get_parameter("bias").fill_(30.0)
    rbm = without_upper(dbm, v)
    np.testing.assert_allclose(oracle.log_likelihood(plain(rbm), v.numpy()), deep.log_likelihood(deep.plain(dbm), v.numpy()), atol=1e-4)


def test_the_biases_alone_are_refitted_to_where_the_likelihood_is_highest(tmp_path: Path) -> None:
    """The gradient in the biases, by the oracle, all but vanishes, and the weights keep their bits."""
    data = every()[torch.multinomial(torch.arange(1.0, 17.0), 2000, replacement=True, generator=torch.Generator().manual_seed(1))]
    rbm = without_upper(machine(), data)
    weight = rbm.coupling.weight.clone()
    before = oracle.log_likelihood(plain(rbm), data.numpy()).mean()
    run = Run.begin("mnist-dbm", MnistDbm(out=tmp_path / "run"))
    found = refitted(run, rbm, data.to(torch.uint8), epochs=60, seed=0)
    after = oracle.log_likelihood(plain(found), data.numpy()).mean()
    assert torch.equal(found.coupling.weight, weight)
    gradient = oracle.log_likelihood_gradient(plain(found), data.numpy(), np.full(len(data), 1 / len(data)))
    biases = [np.abs(value).max() for key, value in gradient.items() if np.size(value) <= 4]
    assert len(biases) == 2
    assert max(biases) < 0.02
    assert after > before + 0.1
    assert run.checkpoint(ablation.PHASE).exists()


def test_bounds_are_judged_with_more_temperatures_of_raise() -> None:
    rbm = hm.RBM(784, 40)
    found = bound(rbm, torch.randint(256, (5, 784), dtype=torch.uint8), samples=2, betas=4, sweeps=2, seed=0)
    assert found.raised is not None
    assert (found.betas, found.raised.betas) == (4, 72)
