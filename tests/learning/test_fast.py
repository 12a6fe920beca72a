"""Fast weights: the chains move under a shadow of the parameters that learns and forgets quickly, and training resumes to the same bits."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.files import read_tensors
from harmonium.learning import Slots
from harmonium.learning.loop.state import TrainingState
from harmonium.learning.rules.fast import overlaid
from tests.learning.signal import begun, contrastive_gradient
from tests.models.machines import close, machine, samples


def rows(cases: int = 60, units: int = 5, seed: int = 1) -> torch.Tensor:
    return torch.tensor(samples(hm.Bernoulli(units), cases, seed)).float()


def fast_of(state: TrainingState) -> dict[str, torch.Tensor]:
    """The fast weights, by the parameter's name."""
    return {name.removeprefix("fast."): slot for name, slot in state.slots["rule"].items() if name.startswith("fast.")}


def nothing() -> None:
    """No coordinates that a step would have to be completed in."""


def test_four_updates_are_those_written_out() -> None:
    """By hand, of binary units, with the same draws: Gibbs sampling of another machine that has the summed parameters."""
    rbm, v = machine("bernoulli", "bernoulli"), torch.tensor(samples(hm.Bernoulli(3), 6, 1))
    negative, rate, decay, lr = hm.FastPCD(chains=7, steps=2, rate=0.3, decay=0.9), 0.3, 0.9, 0.1
    state = begun(rbm, negative)
    names = ("coupling.weight", "visible.bias", "hidden.bias")
    theta = {name: rbm.get_parameter(name).detach().clone().numpy() for name in names}
    fast = {name: np.zeros_like(value) for name, value in theta.items()}
    by_hand, moved = torch.Generator().manual_seed(0), machine("bernoulli", "bernoulli")
    chains = negative.init(rbm, by_hand)["chains"]

    def means(x: np.ndarray, at: dict[str, np.ndarray]) -> np.ndarray:
        return 1 / (1 + np.exp(-(x @ at["coupling.weight"] + at["hidden.bias"])))

    for _ in range(4):
        contrastive_gradient(rbm, v, None, negative, state)
        negative.after(rbm, state.slots["rule"], nothing)
        state.optimizer.step()

        both = {name: theta[name] + fast[name] for name in names}
        moved.load_state_dict({name: torch.tensor(value) for name, value in both.items()})
        chains = moved.gibbs(chains, steps=2, generator=by_hand)
        x, y = v.numpy(), chains.numpy()
        h, g = means(x, theta), means(y, both)
        slope = {
            "coupling.weight": -(x.T @ h / 6 - y.T @ g / 7),
            "visible.bias": -(x.mean(0) - y.mean(0)),
            "hidden.bias": -(h.mean(0) - g.mean(0)),
        }
        for name in names:
            theta[name] = theta[name] - lr * slope[name]
            fast[name] = decay * fast[name] - rate * slope[name]
        assert torch.equal(state.chains, chains)
        for name in names:
            close(rbm.get_parameter(name), theta[name], 1e-12)
            close(fast_of(state)[name], fast[name], 1e-12)


def test_the_first_update_is_that_of_persistent_cd() -> None:
    rbm, v = machine("learnt_gaussian", "bernoulli"), torch.tensor(samples(machine("learnt_gaussian", "bernoulli").visible, 6, 1))
    for weights in (None, torch.tensor([1.0, 0, 2, 3, 1, 1], dtype=torch.float64), torch.zeros(6, dtype=torch.float64)):
        found = []
        for negative in (hm.FastPCD(chains=7, steps=2), hm.PersistentCD(chains=7, steps=2)):
            contrastive_gradient(rbm, v, weights, negative, begun(rbm, negative))
            found.append([parameter.grad.clone() for parameter in rbm.parameters()])
        assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_variances_have_no_shadow_and_frozen_parameters_none() -> None:
    rbm = machine("learnt_gaussian", "spin")
    rbm.hidden.bias.requires_grad_(False)
    negative, v = hm.FastPCD(chains=5), torch.tensor(samples(rbm.visible, 6, 1))
    state = begun(rbm, negative)
    contrastive_gradient(rbm, v, None, negative, state)
    negative.after(rbm, state.slots["rule"], nothing)
    assert set(fast_of(state)) == {"coupling.weight", "visible.bias"}


def test_an_overlay_leaves_the_parameters_to_the_bit() -> None:
    rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3))
    room = {name: torch.empty_like(parameter) for name, parameter in rbm.named_parameters()}
    before = {name: (parameter, parameter.data_ptr(), parameter.detach().clone()) for name, parameter in rbm.named_parameters()}

    def broken_off() -> None:
        with overlaid(rbm, {"coupling.weight": torch.ones(4, 3), "hidden.bias": torch.ones(3)}, room):
            close(rbm.coupling.weight, before["coupling.weight"][2] + 1)
            close(rbm.hidden.bias, torch.ones(3))
            close(rbm.visible.bias, torch.zeros(4))
            raise KeyError("in the middle")

    with pytest.raises(KeyError, match="in the middle"):
        broken_off()
    for name, parameter in rbm.named_parameters():
        assert parameter is before[name][0]
        assert parameter.data_ptr() == before[name][1]
        assert torch.equal(parameter, before[name][2])


class Seen(hm.FastPCD):
    """Notes the gradients, offsets and fast weights of each update."""

    def after(self, model: hm.RBM, slots: Slots, complete: Callable[[], None]) -> None:
        gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
        super().after(model, slots, complete)
        SEEN.append((gradients, {name.removeprefix("fast."): slot.clone() for name, slot in slots.items() if name.startswith("fast.")}))


class Offsets(hm.Callback):
    """Notes the centred gradient's offsets of each update."""

    def __init__(self) -> None:
        self.seen: list[dict[str, torch.Tensor]] = []

    def on_step(self, state: TrainingState) -> None:
        self.seen.append({side: state.slots["centring"][side].clone() for side in ("visible", "hidden")})


SEEN: list[tuple[dict[str, torch.Tensor], ...]] = []


def test_with_a_centred_gradient_the_fast_biases_make_up_for_the_fast_weights() -> None:
    """The step of the centred machine's parameters, b' and c', taken at the fast rate and back to b = b' - W λ and c = c' - W' μ."""
    SEEN.clear()
    noted, settings = Offsets(), {"gradient": "centred", "epochs": 1, "batch_size": 20, "progress": False}
    rbm = hm.RBM(hm.Bernoulli(5), hm.Bernoulli(3)).double()
    hm.fit(rbm, rows().double(), negative=Seen(chains=9, rate=0.2, decay=0.5), callbacks=[noted], **settings)
    expected = {name: torch.zeros_like(parameter) for name, parameter in rbm.named_parameters()}
    assert len(SEEN) == 3
    for (gradients, fast), offsets in zip(SEEN, noted.seen, strict=True):
        weight = gradients["coupling.weight"]
        step = {
            "coupling.weight": weight,
            "visible.bias": gradients["visible.bias"] - weight @ offsets["hidden"],
            "hidden.bias": gradients["hidden.bias"] - weight.T @ offsets["visible"],
        }
        for name, change in step.items():
            expected[name] = 0.5 * expected[name] - 0.2 * change
            close(fast[name], expected[name], 1e-12)


def test_in_standard_form_the_unit_of_measurement_does_not_matter() -> None:
    """Chains of data in other units are those chains in other units."""
    found = []
    for unit, shift in ((1.0, 0.0), (8.0, 16.0)):
        draw = torch.Generator().manual_seed(3)
        v = torch.randn(40, 3, generator=draw, dtype=torch.float64) * unit + shift
        rbm = hm.RBM(hm.Gaussian(3, learn_variance=True), hm.Bernoulli(4)).double()
        own = {"negative": hm.FastPCD(chains=10, rate=0.05), "optimizer": partial(hm.MomentumSGD, lr=1e-3, momentum=0.9)}
        state = hm.fit(rbm, v, epochs=4, batch_size=10, seed=2, progress=False, **own)
        found.append((state.chains - shift) / unit)
    close(found[1], found[0], 1e-5)


def test_fast_weights_take_chains_from_mode_to_mode() -> None:
    """Nothing is learnt, and the data are half in each of two modes that Gibbs sampling does not leave: half of the chains have to come.

    All chains begin in the mode of zeros.
    """
    shares = []
    for rate in (0.0, 0.3):
        rbm = hm.RBM(hm.Bernoulli(12), hm.Bernoulli(2))
        rbm.coupling.weight.data = torch.tensor([[3.0, 3.0]]).repeat(12, 1)
        rbm.visible.bias.data.fill_(-3.0)
        rbm.hidden.bias.data.fill_(-18.0)
        v = torch.cat([torch.zeros(20, 12), torch.ones(20, 12)])
        negative = hm.FastPCD(chains=50, rate=rate)
        state = begun(rbm, negative)
        state.slots["rule"]["chains"].zero_()
        ones = []
        for _ in range(300):
            contrastive_gradient(rbm, v, None, negative, state)
            negative.after(rbm, state.slots["rule"], nothing)
            ones.append((state.chains.mean(1) > 0.5).float().mean().item())
        shares.append(np.mean(ones[100:]))
    assert shares[0] < 0.06
    assert 0.35 < shares[1] < 0.65


class Stop(hm.Callback):
    """Ends training in the middle of an epoch, as a kill would."""

    def on_step(self, state: TrainingState) -> None:
        if state.step == 17:
            raise KeyboardInterrupt


@pytest.mark.parametrize("gradient", ["plain", "centred", "enhanced"])
def test_resuming_gives_the_same_bits(gradient: str, tmp_path: Path) -> None:
    """From a file at the end of an epoch, and from a state at hand."""
    negative, path = hm.FastPCD(chains=9, steps=2, rate=0.1), tmp_path / "state.safetensors"
    sgd = partial(torch.optim.SGD, lr=0.05, momentum=0.5)

    def learn(epochs: int, **settings: object) -> TrainingState:
        state = settings.get("state")
        rbm = state.model if isinstance(state, TrainingState) else hm.RBM(hm.Bernoulli(5), hm.Bernoulli(4), seed=1)
        settings |= {"optimizer": sgd, "gradient": gradient, "weight_cost": 1e-3, "batch_size": 10, "progress": False}
        return hm.fit(rbm, rows(), negative=negative, epochs=epochs, seed=5, **settings)

    whole = learn(5)
    with pytest.raises(KeyboardInterrupt):
        learn(5, checkpoint=path, callbacks=[Stop()])
    saved, header = read_tensors(path)
    assert header["step"] == 12
    assert saved["slots.rule.fast.coupling.weight"].any()
    for other in (learn(5, checkpoint=path), learn(5, state=learn(2))):
        assert other.step == whole.step == 30
        assert torch.equal(other.chains, whole.chains)
        assert set(fast_of(other)) == set(fast_of(whole)) == {"coupling.weight", "visible.bias", "hidden.bias"}
        for name, tensor in fast_of(whole).items():
            assert torch.equal(fast_of(other)[name], tensor), name
        for name, tensor in whole.model.state_dict().items():
            assert torch.equal(other.model.state_dict()[name], tensor), name
    negative = hm.FastPCD(chains=9, steps=2, rate=0.2)
    with pytest.raises(ValueError, match=r"FastPCD\(chains=9, steps=2, rate=0.1, decay=0.95\)"):
        learn(5, checkpoint=path)


def test_what_persistent_chains_cannot_carry_is_refused_and_missing_values_are_not() -> None:
    rbm, negative, v = hm.RBM(hm.Bernoulli(5), hm.Bernoulli(4)), hm.FastPCD(chains=5), rows(20)
    mask = torch.rand(20, 5, generator=torch.Generator().manual_seed(0)) < 0.3
    with pytest.raises(ValueError, match=r"given\.present changes the partition function"):
        hm.fit(rbm, v, negative=negative, given=hm.Given(present=~mask), progress=False)
    with pytest.raises(ValueError, match=r"given\.present changes the partition function"):
        contrastive_gradient(rbm, v, None, negative, begun(rbm, negative), given=hm.Given(present=~mask))
    conditional = hm.RBM(hm.Bernoulli(5), hm.Bernoulli(4), hm.Conditional(hm.Dense(5, 4), 2))
    with pytest.raises(ValueError, match=r"given\.context changes the partition function"):
        hm.fit(conditional, v, negative=negative, given=hm.Given(context=torch.ones(20, 2)), progress=False)
    state = hm.fit(rbm, v, negative=negative, given=hm.Given(missing=mask), epochs=2, progress=False)
    assert state.chains.shape == (5, 5)


def test_settings_are_checked() -> None:
    for settings in ({"chains": 0}, {"steps": 0}):
        with pytest.raises(ValueError, match="at least one chain and one step"):
            hm.FastPCD(**settings)
    for settings in ({"rate": -0.1}, {"rate": float("nan")}, {"decay": 1.0}, {"decay": -0.1}):
        with pytest.raises(ValueError, match="a rate of at least 0 and a decay from 0 to less than 1"):
            hm.FastPCD(**settings)
