"""What a training says of senseless weights, of units that learnt nothing, of copies, and of variances that do not suit the data."""

import warnings
from functools import partial
from typing import Any

import pytest
import torch

import harmonium as hm

BITS = (torch.rand(400, 10, generator=torch.Generator().manual_seed(0)) < 0.3).float()
SLOW = partial(hm.MomentumSGD, lr=1e-6)


def machine(change: bool = False) -> hm.RBM:
    rbm = hm.RBM(10, 6, seed=1)
    with torch.no_grad():
        rbm.coupling.weight.normal_(0, 2, generator=torch.Generator().manual_seed(3))
        if change:
            rbm.coupling.weight[:, 1] = 0
            rbm.coupling.weight[:, 2:4] = rbm.coupling.weight[:, :1]
    return rbm


def test_a_machine_that_has_not_left_its_base_rates_says_so() -> None:
    with pytest.warns(UserWarning, match="after 300 updates no hidden unit depends on the data") as said:
        hm.fit(hm.RBM(10, 6), BITS, updates=300, optimizer=SLOW, progress=False)
    assert said[0].filename == __file__
    hm.fit(hm.RBM(10, 6), BITS, updates=296, optimizer=SLOW, progress=False)  # too short to be told


def test_still_units_and_copies_are_counted() -> None:
    with pytest.warns(UserWarning, match="of 6 hidden units 1 do not depend on the data and 2 are copies"):
        hm.fit(machine(change=True), BITS, updates=300, optimizer=SLOW, progress=False)
    hm.fit(machine(), BITS, updates=300, optimizer=SLOW, progress=False)


def test_a_fixed_variance_that_does_not_suit_the_data_is_named() -> None:
    rows = 20 * torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    with pytest.warns(UserWarning, match=r"variance of the data is .* times that of the Gaussian units, which is fixed"):
        hm.fit(hm.RBM(hm.Gaussian(4, learn_variance=False), hm.Bernoulli(3)), rows, epochs=1, progress=False)
    visible = hm.Groups(hm.Bernoulli(10), hm.Gaussian(4, learn_variance=False))
    with pytest.warns(UserWarning, match="is fixed: give the units learn_variance=True, or standardise") as said:
        hm.fit(hm.RBM(visible, hm.Bernoulli(3)), torch.cat([BITS[:200], rows], 1), epochs=1, progress=False)
    assert said[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hm.fit(hm.RBM(hm.Gaussian(4, learn_variance=True), hm.Bernoulli(3)), rows, epochs=1, progress=False)
        hm.fit(hm.RBM(hm.Gaussian(4, learn_variance=False), hm.Bernoulli(3)), rows / 20, epochs=1, progress=False)


CHAINS = {"negative": hm.PersistentCD(chains=20)}
BOUNDED = {
    "binary": (lambda: hm.RBM(10, 6, seed=1), {"updates": 400}),
    "spins": (lambda: hm.RBM(hm.Spin(10), hm.Spin(6), seed=1), {"updates": 20}),
    "chains": (lambda: hm.RBM(10, 6, seed=1), {"updates": 400, **CHAINS}),
    "a deep machine": (lambda: hm.DBM([hm.Bernoulli(10), hm.Bernoulli(6), hm.Bernoulli(4)], seed=1), {"updates": 20, **CHAINS}),
}


@pytest.mark.parametrize(("make", "settings"), BOUNDED.values(), ids=BOUNDED)
def test_weights_that_no_data_could_teach_are_named_and_nothing_else_is(make: Any, settings: dict[str, Any]) -> None:
    model = make()
    data = 2 * BITS - 1 if isinstance(model, hm.RBM) and isinstance(model.visible, hm.Spin) else BITS
    expected = r"inputs are \d\.\de\+0[4-9] or more from their means, and 20 leaves a unit no doubt: .* a far lower learning rate"
    with pytest.warns(hm.Advice, match=expected) as said:
        hm.fit(model, data, optimizer=partial(torch.optim.SGD, lr=1e6), progress=False, **settings)
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hm.fit(make(), data, optimizer=partial(torch.optim.SGD, lr=1.0), progress=False, **(settings | {"updates": 20}))


def test_large_inputs_of_unbounded_units_are_their_scale() -> None:
    rbm = hm.RBM(hm.Bernoulli(10), hm.NoisyReLU(6), seed=1)
    with torch.no_grad():
        rbm.coupling.weight.mul_(1e6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hm.fit(rbm, BITS, epochs=1, optimizer=partial(torch.optim.SGD, lr=0.0), progress=False)
