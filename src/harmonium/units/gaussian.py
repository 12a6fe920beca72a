"""Real-valued units."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harmonium.units.checks import check_finite, check_shape
from harmonium.units.given import NOTHING, Given, keep_present
from harmonium.units.scaled import Scaled
from harmonium.units.sums import tally, weighted_sum


class Gaussian(Scaled):
    """Real-valued units with Gaussian noise.

    Given the input x, a unit is normal with mean b + x and variance σ². The mean does not depend on σ.

    Parameters
    ----------
    shape : int or sequence of int
        Number of units, or their shape.
    variance : float, optional
        σ² at first, the same for all units; positive. By default 1. Units whose variance is named keep it, unless `learn_variance` is True.
    bias_shape, variance_shape : sequence of int, optional
        Shapes that broadcast to `shape`, where units share biases or variances. By default each unit has its own. Units that share biases
        share variances in the same way, if neither `variance_shape` nor `variance` nor `learn_variance` is given.
    learn_variance : bool, optional
        Whether `log_variance` is a parameter rather than a buffer. If neither it nor `variance` is given, the first machine that the layer
        joins decides: as its visible layer it learns its variances, as a hidden layer it keeps them at 1. A learnt variance starts at
        the data's own variance, and `hm.fit` steps along it as docs/gaussian-variances.md describes.
    least_variance : float, default 0.0
        A learnt variance stays at or above it.

    Attributes
    ----------
    bias : torch.nn.Parameter
        b, of shape `bias_shape`; zero at first.
    log_variance : torch.Tensor
        log σ², of shape `variance_shape`.

    Raises
    ------
    ValueError
        For a variance that is not a positive number, and a negative least variance.

    Notes
    -----
    The energy is (v - b)² / 2σ² and the statistic is v / σ², so that v given x is N(b + x, σ²). This is the parametrisation of Cho, Ilin
    & Raiko (2011). The interaction Σ (v/σ) W h of Hinton's tutorial becomes this one with weights σ W
    (`harmonium.units.gaussian.from_tutorial_form`).

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> units = hm.Gaussian(2, variance=4.0)
    >>> input = torch.tensor([0.5, -1.0])
    >>> units.mean(input).detach(), units.variance(input)
    (tensor([ 0.5000, -1.0000]), tensor([4., 4.]))

    A machine of real-valued data learns the variance of each visible unit. With `variance_shape=(1,)` there is one for all units, and a
    variance that is named stays fixed:

    >>> hm.RBM(hm.Gaussian(5), 8).visible.log_variance.requires_grad
    True
    >>> hm.RBM(hm.Gaussian(5, variance_shape=(1,)), 8).visible.log_variance.shape
    torch.Size([1])
    >>> hm.RBM(hm.Gaussian(5, variance=1.0), 8).visible.log_variance.requires_grad
    False
    """

    one_sided = False

    def log_partition(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        """Σ ½ log 2πσ² + (b x + x²/2) / σ²."""
        terms = input * (self.bias + 0.5 * input) * torch.exp(-self.log_variance)
        return self.total(keep_present(terms + 0.5 * (math.log(2 * math.pi) + self.log_variance), given))

    def mean(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return keep_present(input + self.bias, given)

    def variance(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return keep_present(torch.exp(self.log_variance).expand_as(input), given)

    def mode(self, input: Tensor, given: Given = NOTHING) -> Tensor:
        return self.mean(input, given)

    @torch.no_grad()
    def sample(self, input: Tensor, *, generator: torch.Generator, given: Given = NOTHING, mean: Tensor | None = None) -> Tensor:
        noise = torch.randn(input.shape, generator=generator, dtype=input.dtype, device=input.device)
        return keep_present(noise.mul_(torch.exp(0.5 * self.log_variance)).add_(input).add_(self.bias), given)

    def mean_parameter_gradient(
        self, input: Tensor, weights: Tensor | None = None, given: Given = NOTHING, mean: Tensor | None = None
    ) -> dict[str, Tensor]:
        precision = torch.exp(-self.log_variance)
        gradient = {"bias": -weighted_sum(keep_present(input * precision, given), weights, self.bias)}
        if self.learn_variance:
            terms = input * (self.bias + 0.5 * input) * precision - 0.5
            gradient["log_variance"] = weighted_sum(keep_present(terms, given), weights, self.log_variance)
        return gradient

    def check(self, states: Tensor) -> None:
        check_shape("Gaussian", states, self.shape)
        check_finite("Gaussian", states)

    @torch.no_grad()
    def init_from(self, data: Tensor, weights: Tensor | None = None) -> None:
        """Sets b to the mean of the data; a learnt variance starts at the data's own (see `data_variance`)."""
        total, cases = tally(data.to(self.bias.dtype), weights, self.bias)
        self.bias.copy_(total / cases)
        if self.learn_variance:
            self.log_variance.copy_(self.data_variance(data, weights).log())

    def base_input(self, mean: Tensor) -> Tensor:
        return mean - self.bias.detach()

    def max_interaction(self, weights: Tensor, given: Given = NOTHING) -> Tensor:
        return torch.where((weights != 0).any(0), math.inf, 0.0)


def from_tutorial_form(weight: Tensor, variance: Tensor | float, hidden_variance: Tensor | float = 1.0) -> Tensor:
    """Converts weights of Hinton's energy Σ (v - b)²/2σ² - Σ (v/σ) W h to this package's weights σ W.

    Biases and variances are the same in both forms.

    Parameters
    ----------
    weight : torch.Tensor
        W, (visible, hidden).
    variance : torch.Tensor or float
        σ² of the visible units: (visible,), or one number.
    hidden_variance : torch.Tensor or float
        (hidden,), where the hidden units are Gaussian as well and the interaction is (v/σ_v) W (h/σ_h).

    Returns
    -------
    torch.Tensor
        σ W, (visible, hidden).

    Notes
    -----
    The form is that of Hinton's tutorial (2012).

    Examples
    --------
    >>> import torch
    >>> from_tutorial_form(torch.ones(2, 3), torch.tensor([1.0, 4.0]))
    tensor([[1., 1., 1.],
            [2., 2., 2.]])
    """
    return weight * _product(weight, variance, hidden_variance)


def to_tutorial_form(weight: Tensor, variance: Tensor | float, hidden_variance: Tensor | float = 1.0) -> Tensor:
    """Converts this package's weights to those of Hinton's energy: the inverse of `from_tutorial_form`.

    Parameters
    ----------
    weight : torch.Tensor
        (visible, hidden).
    variance, hidden_variance : torch.Tensor or float
        As for `from_tutorial_form`.

    Returns
    -------
    torch.Tensor
        W / σ, (visible, hidden).

    Examples
    --------
    >>> import torch
    >>> to_tutorial_form(torch.ones(2, 3), 4.0)
    tensor([[0.5000, 0.5000, 0.5000],
            [0.5000, 0.5000, 0.5000]])
    """
    return weight / _product(weight, variance, hidden_variance)


def _product(weight: Tensor, variance: Tensor | float, hidden_variance: Tensor | float) -> Tensor:
    """σ_v σ_h, in a shape that broadcasts to (visible, hidden)."""
    rows, columns = (torch.as_tensor(each).to(weight).sqrt().flatten() for each in (variance, hidden_variance))
    return rows[:, None] * columns
