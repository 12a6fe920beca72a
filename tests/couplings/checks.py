"""What every coupling must satisfy, alone and in a machine. Matrices come written out by loops, from the tests."""

import numpy as np
import torch

import harmonium as hm
from harmonium.units import NOTHING
from tests.models.machines import close, randomise

LEADING = [(), (4,), (2, 3)]


def randomised(module, seed=0, size=0.5):
    """The module in float64 with every parameter of a few tenths."""
    draw = np.random.default_rng(seed)
    module.double()
    for parameter in module.parameters():
        parameter.data = torch.tensor(size * draw.normal(size=parameter.shape))
    return module


def machine(visible, hidden, coupling, seed=0, size=0.5):
    """A random float64 RBM."""
    rbm = randomised(hm.RBM(visible, hidden, coupling), seed, size)
    for unit in (visible, hidden):
        randomise(unit, np.random.default_rng(seed + 1), size)
    return rbm


def statistics(coupling, leading, seed=1):
    """Statistics of both sides and weights of the cases: (*leading, ...)."""
    draw = np.random.default_rng(seed)
    shapes = ((*leading, *coupling.visible), (*leading, *coupling.hidden))
    return *(torch.tensor(draw.normal(size=shape)) for shape in shapes), torch.tensor(draw.uniform(0, 2, leading))


def is_bilinear_in(coupling, matrix, leading):
    """Both inputs and the interaction are those of `matrix`, (visible size, hidden size)."""
    s_v, s_h, _ = statistics(coupling, leading)
    rows_v, rows_h = s_v.numpy().reshape(-1, matrix.shape[0]), s_h.numpy().reshape(-1, matrix.shape[1])
    close(coupling.matrix(), matrix, 1e-12)
    close(coupling.to_hidden(s_v), (rows_v @ matrix).reshape(s_h.shape), 1e-12)
    close(coupling.to_visible(s_h), (rows_h @ matrix.T).reshape(s_v.shape), 1e-12)
    close(coupling.interaction(s_v, s_h), np.einsum("ni,ij,nj->n", rows_v, matrix, rows_h).reshape(leading), 1e-12)


def gradients(module):
    return {name: parameter.grad.clone() for name, parameter in module.named_parameters()}


def has_the_gradient_of_its_interaction(coupling, leading, given=NOTHING):
    """By autograd: weighted and not, added to what is there and in its place, whatever that was."""
    s_v, s_h, weights = statistics(coupling, leading)
    for weighted in (None, weights):
        coupling.zero_grad(set_to_none=True)
        each = torch.ones(leading, dtype=torch.float64) if weighted is None else weighted
        (-(each * coupling.interaction(s_v, s_h, given))).sum().backward()
        expected = gradients(coupling)
        assert all(gradient.abs().max() > 0.01 for gradient in expected.values())
        coupling.zero_grad(set_to_none=True)
        for fresh, scale, total in ((False, 0.5, 0.5), (False, -2.0, -1.5), (True, 0.3, 0.3)):
            if fresh:
                for parameter in coupling.parameters():
                    parameter.grad.fill_(torch.nan)
            coupling.accumulate_gradient(s_v, s_h, weights=weighted, scale=scale, fresh=fresh, given=given)
            for name, gradient in gradients(coupling).items():
                close(gradient, total * expected[name], 1e-6)
                assert not gradient.requires_grad


def has_the_gradient_of_its_free_energy(rbm, v, given=NOTHING):
    """By autograd, of the machine's every parameter: v (*leading, *shape)."""
    leading = v.shape[: v.dim() - len(rbm.visible.shape)]
    weights = torch.tensor(np.random.default_rng(5).uniform(0, 2, leading))
    rbm.zero_grad(set_to_none=True)
    (0.7 * weights * rbm.free_energy(v, given)).sum().backward()
    expected = gradients(rbm)
    rbm.zero_grad(set_to_none=True)
    rbm.accumulate_gradient(rbm.infer(v, given), weights=weights, scale=0.7, given=given)
    for name, gradient in gradients(rbm).items():
        close(gradient, expected[name], 1e-6)


def log_conditional(unit, states, input, given=NOTHING):
    """log p(x | input)."""
    met = (unit.statistic(states) * input).flatten(states.dim() - len(unit.shape)).sum(-1)
    return met - unit.energy(states) - unit.log_partition(input, given)


def obeys_bayes(rbm, v, h, given=NOTHING):
    """log p(h | v) - F(v) = log p(v | h) - F(h) = -E(v, h)."""
    energy = rbm.energy(v, h, given)
    close(log_conditional(rbm.hidden, h, rbm.hidden_input(v, given)) - rbm.free_energy(v, given), -energy, 1e-10)
    close(log_conditional(rbm.visible, v, rbm.visible_input(h, given)) - rbm.hidden_free_energy(h, given), -energy, 1e-10)


def states(unit, leading, seed=2):
    """Draws of a layer at no input: (*leading, *shape) float64."""
    return unit.sample(unit.zero_input(*leading), generator=torch.Generator().manual_seed(seed))


def round_trip(rbm, path, v, given=NOTHING):
    """Saved and loaded: the same coupling, tensors and free energy, to the bit."""
    hm.save(rbm, path)
    found = hm.load(path)
    assert type(found.coupling) is type(rbm.coupling)
    assert str(found) == str(rbm)
    assert found.coupling.state_dict().keys() == rbm.coupling.state_dict().keys()
    for name, tensor in rbm.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor)
        assert found.state_dict()[name].dtype == tensor.dtype
    assert torch.equal(found.free_energy(v, given), rbm.free_energy(v, given))
    return found
