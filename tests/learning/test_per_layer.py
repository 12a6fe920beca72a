"""Settings of their own for each layer: the stack is that of layers learnt one by one with these settings, to the bit."""

from functools import partial

import pytest
import torch

import harmonium as hm
from harmonium.learning import features
from harmonium.seeds import derive

DATA = torch.bernoulli(torch.full((60, 8), 0.4), generator=torch.Generator().manual_seed(0))
LAYERS = (8, 6, 5)
SETTINGS = {
    "epochs": hm.PerLayer(2, 4),
    "optimizer": hm.PerLayer(partial(hm.MomentumSGD, lr=0.05), partial(hm.MomentumSGD, lr=0.3)),
    "sparsity": hm.PerLayer(None, hm.Sparsity(target=0.1, cost=0.5)),
    "batch_size": 20,
    "progress": False,
}


def alone():
    """What each layer learns by, one after the other."""
    first, second = (hm.RBM(hm.Bernoulli(LAYERS[n], values=v), hm.Bernoulli(LAYERS[n + 1]), seed=derive(3, n)) for n, v in kinds())
    hm.fit(first, DATA, epochs=2, optimizer=SETTINGS["optimizer"].values[0], batch_size=20, progress=False, seed=derive(3, 0))
    hm.fit(
        second,
        features(DATA, first),
        epochs=4,
        optimizer=SETTINGS["optimizer"].values[1],
        sparsity=SETTINGS["sparsity"].values[1],
        batch_size=20,
        progress=False,
        seed=derive(3, 1),
    )
    return hm.DBN([first, second])


def kinds():
    return enumerate(("binary", "probabilities"))


def same(one, other):
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_each_layer_learns_by_its_own_settings(tmp_path):
    units = [hm.Bernoulli(size) for size in LAYERS]
    dbn = hm.greedy(DATA, units, seed=3, checkpoints=tmp_path, **SETTINGS)
    assert same(dbn, alone())
    assert not same(dbn, hm.greedy(DATA, units, seed=3, **{**SETTINGS, "sparsity": None}))


def test_replicas_of_stacks():
    units = [hm.Bernoulli(size) for size in LAYERS]
    settings = {"seed": 3, "replicas": 2, "batch_size": 20, "progress": False}
    long, short, same_for_all = (hm.greedy(DATA, units, epochs=epochs, **settings) for epochs in (hm.PerLayer(2, 6), hm.PerLayer(2, 2), 2))
    assert same(short[0], same_for_all[0])
    assert same(long[1].rbms[0], short[1].rbms[0])
    assert not same(long[1].rbms[1], short[1].rbms[1])


def test_a_deep_boltzmann_machine():
    units = [hm.Bernoulli(size) for size in LAYERS]
    long = hm.greedy_dbm(DATA, units, epochs=hm.PerLayer(1, 5), seed=0, progress=False)
    short = hm.greedy_dbm(DATA, units, epochs=1, seed=0, progress=False)
    assert torch.equal(long.couplings[0].matrix(), short.couplings[0].matrix())
    assert not torch.equal(long.couplings[1].matrix(), short.couplings[1].matrix())


@pytest.mark.parametrize(
    "learn", [hm.greedy, hm.greedy_dbm, partial(hm.greedy, replicas=2)], ids=["a stack", "a deep Boltzmann machine", "replicas"]
)
def test_as_many_values_as_machines(learn):
    with pytest.raises(ValueError, match="epochs= has 3 values for the 2 machines of the stack: give one for each"):
        learn(DATA, [hm.Bernoulli(size) for size in LAYERS], epochs=hm.PerLayer(1, 2, 3))


def test_one_model_takes_one_value() -> None:
    for setting in ("epochs", "optimizer", "sparsity", "batch_size"):
        with pytest.raises(TypeError, match=rf"hm\.fit trains one model and takes one value of {setting}=, found PerLayer\(1, 2\)"):
            hm.fit(hm.RBM(4, 3), torch.eye(4), progress=False, **{setting: hm.PerLayer(1, 2)})
    with pytest.raises(TypeError, match=r"hm\.fine_tune trains one model"):
        hm.fine_tune(torch.nn.Linear(4, 2), torch.eye(4), torch.arange(4) % 2, epochs=hm.PerLayer(1, 2), progress=False)
