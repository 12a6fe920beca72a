"""Binary units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from harmonium.units.biased import Biased
from harmonium.units.checks import check_finite, check_shape
from harmonium.units.given import NOTHING, Given, keep_present
from harmonium.units.sums import tally
from harmonium.units.uniform import uniform
from harmonium.units.unit import Values


class Bernoulli(Biased):
    """Stochastic binary units with states 0 and 1.

    Given the input x from the other layer, a unit is on with probability σ(b + x).

    Parameters
    ----------
    shape : int or sequence of int
        Number of units, or their shape.
    bias_shape : sequence of int, optional
        A shape that broadcasts to `shape`, where units share biases. By default each unit has its own bias.
    values : {"binary", "probabilities"}
        What the data are. "binary": zeros and ones. "probabilities": the probabilities that a unit is on, used as they are (Hinton's
        mean-field logistic units); uint8 grey levels then count as level / 255.

    Attributes
    ----------
    bias : torch.nn.Parameter
        b, of shape `bias_shape`; zero at first.

    Raises
    ------
    ValueError
        For a shape without units, and for other `values`.

    Notes
    -----
    The energy is -b·v, and p(v = 1 | x) = σ(b + x) (Smolensky 1986; Hinton 2002, doi:10.1162/089976602760128018).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> units = hm.Bernoulli(3)
    >>> units.mean(torch.tensor([-2.0, 0.0, 2.0]))
    tensor([0.1192, 0.5000, 0.8808], grad_fn=<SigmoidBackward0>)
    >>> draws = units.sample(torch.zeros(1000, 3), generator=torch.Generator().manual_seed(0))
    >>> draws.shape, draws.unique()
    (torch.Size([1000, 3]), tensor([0., 1.]))

    Grey levels are declared as probabilities:

    >>> pixels = hm.Bernoulli(2, values="probabilities")
    >>> pixels.from_data(torch.tensor([[0, 51]], dtype=torch.uint8), like=pixels.bias)
    tensor([[0.0000, 0.2000]])
    """

    def __init__(self, shape: int | Sequence[int], *, bias_shape: Sequence[int] | None = None, values: Values = "binary") -> None:
        super().__init__(shape, bias_shape=bias_shape)
        if values not in ("binary", "probabilities"):
            raise ValueError(f'values must be "binary" or "probabilities", found {values!r}')
        self.values: Values = values

    def log_partition(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return self.total(keep_present(F.softplus(input + self.bias, threshold=30.0), given))

    def mean(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return keep_present((input + self.bias).sigmoid_(), given)

    def variance(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        total = input + self.bias
        return keep_present(torch.sigmoid(total) * torch.sigmoid(-total), given)

    def mode(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return keep_present((input + self.bias > 0).to(input.dtype), given)

    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given = NOTHING, mean: Tensor | None = None) -> Tensor:
        p = self.mean(input) if mean is None else mean
        u = uniform(input.shape, input, generator)
        return keep_present(torch.lt(u, p.detach(), out=u), given)

    def sample_and_change(self, input: Tensor, step: Tensor, *, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draws from p(x | input) and computes the change of the log-partition, both from the mean.

        The partition function 1 + e^z of a unit grows by the factor 1 + g, g = σ(z) (e^step - 1). Small steps lose no digits in this
        form. Digits would be lost where g is near -1, and the exponential may overflow; there the factor is σ(-z) + σ(z) e^step, computed
        from the logarithms of the two terms.
        """
        mean = self.mean(input)
        growth = torch.expm1(step).mul_(mean)
        change = torch.log1p(growth)
        # On other devices, reading the values would force a synchronisation.
        if growth.device.type != "cpu" or not _digits_kept(growth.amin(), step.amax()):
            z = input + self.bias
            apart = torch.logaddexp(F.logsigmoid(-z), F.logsigmoid(z) + step)
            change = torch.where(_digits_kept(growth, step), change, apart)
        return self.sample(input, generator=generator, mean=mean), self.total(change)

    def from_data(self, data: Tensor, like: Tensor) -> Tensor:
        if data.dtype == torch.uint8 and self.values == "probabilities":
            return data.to(like.device).to(like.dtype).div_(255.0)
        return super().from_data(data, like)

    def check(self, states: Tensor) -> None:
        self._check(states, self.values)

    def check_states(self, states: Tensor) -> None:
        self._check(states, "binary")

    def _check(self, states: Tensor, values: Values) -> None:
        check_shape("Bernoulli", states, self.shape)
        if states.dtype == torch.bool or (values == "probabilities" and states.dtype == torch.uint8):
            return
        if values == "binary" and not bool(((states != 0) & (states != 1)).any()):  # one look at what nearly always is right
            return
        check_finite("Bernoulli", states)
        low, high = states.min().item(), states.max().item()
        if low < 0 or high > 1:
            raise ValueError(
                f"Bernoulli units expect {'0 or 1' if values == 'binary' else 'probabilities between 0 and 1'}, found values "
                f"from {low:g} to {high:g}; grey levels must be declared: hm.data.binarise(images, ...) draws binary pixels, "
                'Bernoulli(..., values="probabilities") takes uint8 levels or levels / 255 as probabilities, and '
                "Gaussian units model real numbers"
            )
        if values == "binary" and states.is_floating_point() and bool(((states != 0) & (states != 1)).any()):
            between = states[(states != 0) & (states != 1)].flatten()[0].item()
            raise ValueError(
                f"Bernoulli units expect 0 or 1, found {between:g}; declare what grey levels mean: hm.data.binarise(images, ...) "
                'draws binary pixels, Bernoulli(..., values="probabilities") takes them as probabilities'
            )

    @torch.no_grad()
    def init_from(self, data: Tensor, weights: Tensor | None = None) -> None:
        """Sets b = log(p / (1 - p)), p the share of ones (Hinton 2010, section 8.1), with Laplace's rule, so that b is finite."""
        ones, cases = tally(data.to(self.bias.dtype), weights, self.bias)
        self.bias.copy_(torch.logit((ones + 1) / (cases + 2)))

    def base_input(self, mean: Tensor) -> Tensor:
        return torch.logit(mean, eps=1e-3) - self.bias.detach()

    def max_interaction(self, weights: Tensor, given: Given = NOTHING) -> Tensor:
        return weights.clamp_min(0).sum(0)

    @property
    def count(self) -> float:
        count: int = 2 ** torch.Size(self.shape).numel()  # an exact integer: a float overflows at 1024 units
        return count

    def states(self, numbers: Tensor) -> Tensor:
        places = torch.arange(torch.Size(self.shape).numel(), device=numbers.device)
        return ((numbers[:, None] >> places) & 1).to(self.bias.dtype).reshape(-1, *self.shape)

    def as_visible_layer(self) -> Self:
        return type(self)(self.shape, bias_shape=self.bias_shape, values="probabilities")

    def arguments(self) -> dict[str, object]:
        return {"shape": self.shape, "bias_shape": self.bias_shape, "values": self.values}


def _digits_kept(growth: Tensor, step: Tensor) -> Tensor:
    """Whether log(1 + g) keeps all digits but the last: g is not too near -1, and e^step times a probability does not underflow."""
    return (growth > -0.875) & (step < 40)
