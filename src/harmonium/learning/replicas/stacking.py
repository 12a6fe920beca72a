"""Many models of one architecture as one module."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from harmonium.couplings import Dense
from harmonium.couplings.dense_replicas import DenseReplicas
from harmonium.learning.replicas.linear_replicas import LinearReplicas
from harmonium.models import RBM
from harmonium.nets import Dropout, Visible
from harmonium.units import Bernoulli, Binomial, Gaussian, NoisyReLU, Poisson, Spin, SteppedSigmoid, Unit

M = TypeVar("M", bound=nn.Module)
UNITS = (Bernoulli, Binomial, Gaussian, NoisyReLU, Poisson, Spin, SteppedSigmoid)  # whose only parameter is a bias
ELEMENTWISE = (
    *(nn.Sigmoid, nn.Tanh, nn.ReLU, nn.Hardtanh, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus, nn.Identity),
    *(Dropout, Visible),
)


class Replicas(nn.Module, Generic[M]):
    """R models of one architecture, whose parameters are stacked along a new first axis.

    `hm.fit` (RBMs) and `hm.fine_tune` (nets) train it as one batched computation, in which every replica learns as it would alone. Learning
    rates and momenta (`hm.ReplicaSGD`), weight costs, seeds and the cases to learn from may differ between replicas.

    Parameters
    ----------
    models : sequence of nn.Module
        RBMs with dense couplings and units whose only parameter is a bias, or nets, at least one. They are copied.
    rows : Tensor, optional
        The numbers of the cases that each replica learns from, (replicas, cases). By default each learns from all of them.

    Raises
    ------
    ValueError
        For models that differ in more than their parameters' values, and for rows of another shape.
    TypeError
        For models that cannot be stacked.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> from functools import partial
    >>> many = hm.Replicas([hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4), seed=seed) for seed in range(3)])
    >>> rates = partial(hm.ReplicaSGD, lr=[0.01, 0.03, 0.1], momentum=0.9)
    >>> state = hm.fit(many, torch.eye(6), optimizer=rates, epochs=2, progress=False)
    >>> many.take(2).coupling.weight.shape
    torch.Size([6, 4])
    """

    rows: Tensor | None

    def __init__(self, models: Sequence[M], *, rows: Tensor | None = None) -> None:
        super().__init__()
        models = list(models)
        check_alike(models)
        if rows is not None:
            rows = torch.as_tensor(rows).long().cpu()
            if rows.dim() != 2 or len(rows) != len(models) or rows.shape[1] == 0:
                raise ValueError(f"rows are the numbers of each replica's cases, ({len(models)}, cases), found shape {tuple(rows.shape)}")
        self.count, self.rows = len(models), rows
        self.__dict__["pattern"] = copy.deepcopy(models[0])  # not a submodule: its parameters are not learned
        own = {name: torch.stack([model.get_parameter(name).detach() for model in models]) for name, _ in models[0].named_parameters()}
        self.by_hand = isinstance(models[0], RBM) or is_plain(models[0])
        if isinstance(models[0], RBM):
            stacked: nn.Module = stacked_rbm(models[0], own)
        else:
            check_draws(models[0], self.by_hand)
            stacked = with_parameters(models[0], {name: nn.Parameter(tensor) for name, tensor in own.items()})
            if self.by_hand:
                stacked = linear_layers_stacked(stacked)
        self.stacked = stacked
        for name, parameter in models[0].named_parameters():
            stacked.get_parameter(name).requires_grad_(parameter.requires_grad)

    pattern: M
    """A model of this architecture."""

    def __len__(self) -> int:
        return self.count

    def forward(self, input: Tensor) -> Tensor:
        """The nets' outputs, (replicas, cases, ...), for inputs (replicas, cases, ...)."""
        if self.by_hand:
            found: Tensor = self.stacked(input)
            return found
        parameters = dict(self.stacked.named_parameters())
        one: Callable[..., Tensor] = lambda own, x: functional_call(self.pattern, own, (x,))  # noqa: E731
        outputs: Tensor = vmap(one)(parameters, input)
        return outputs

    @torch.no_grad()
    def take(self, replica: int) -> M:
        """One of them, as an ordinary model: a copy.

        Parameters
        ----------
        replica : int
            Its number, from 0.

        Returns
        -------
        nn.Module
            The model.

        Raises
        ------
        IndexError
            For a number that no replica has.
        """
        if not 0 <= replica < self.count:
            raise IndexError(f"there are replicas 0 to {self.count - 1}, found {replica}")
        learned = {
            name: nn.Parameter(self.stacked.get_parameter(name)[replica].reshape(like.shape).clone(), requires_grad=like.requires_grad)
            for name, like in self.pattern.named_parameters()
        }
        return with_parameters(self.pattern, learned)

    def __iter__(self) -> Iterator[M]:
        return (self.take(replica) for replica in range(self.count))

    def chosen(self, replicas: Sequence[int]) -> Replicas[M]:
        """Only some of them, in this order.

        Parameters
        ----------
        replicas : sequence of int
            Their numbers.

        Returns
        -------
        Replicas
            Copies of these.
        """
        return Replicas([self.take(replica) for replica in replicas], rows=None if self.rows is None else self.rows[list(replicas)])

    def costed(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """The parameters with weight cost, which are matrices or more in each model, and those without."""
        found: tuple[list[nn.Parameter], list[nn.Parameter]] = ([], [])
        for name, like in self.pattern.named_parameters():
            found[like.dim() < 2].append(self.stacked.get_parameter(name))
        return found

    def train(self, mode: bool = True) -> Self:
        """Sets the mode of all of them."""
        self.pattern.train(mode)
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self.pattern._apply(fn)  # type: ignore[no-untyped-call]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self


def with_parameters(module: M, parameters: dict[str, nn.Parameter]) -> M:
    """A copy of a module that has these parameters instead of its own."""
    return copy.deepcopy(module, {id(module.get_parameter(name)): parameter for name, parameter in parameters.items()})


def check_alike(models: Sequence[nn.Module]) -> None:
    """Raise a ValueError unless there are models that differ in their parameters' values alone."""
    if not models:
        raise ValueError("replicas are copies of at least one model, found none")
    first = likeness(models[0])
    for number, model in enumerate(models):
        if likeness(model) != first:
            raise ValueError(f"replicas are models of one architecture, and model {number} differs from model 0 in more than its weights")
        for (name, buffer), (_, other) in zip(models[0].named_buffers(), model.named_buffers(), strict=True):
            if not torch.equal(buffer, other):
                raise ValueError(f"replicas have the same constants, and {name} of model {number} differs from that of model 0")


def likeness(model: nn.Module) -> tuple[Any, ...]:
    """What models have in common that can be stacked."""
    shapes = [(name, tuple(each.shape), each.dtype, each.device, each.requires_grad) for name, each in model.named_parameters()]
    arguments = [str(module.arguments()) for module in model.modules() if isinstance(module, Unit)]
    return str(model), shapes, arguments, [name for name, _ in model.named_buffers()]


def is_plain(net: nn.Module) -> bool:
    """Whether a net is a sequence of linear layers and functions of each element, which batched products compute fastest."""
    if isinstance(net, nn.Sequential):
        return all(is_plain(module) for module in net)
    return type(net) is nn.Linear or isinstance(net, ELEMENTWISE)


def check_draws(net: nn.Module, by_hand: bool) -> None:
    """Raise a TypeError if a net draws in its forward pass where replicas cannot."""
    for module in net.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd) or (isinstance(module, Dropout) and not by_hand):
            raise TypeError(f"replicas take dropout as harmonium.nets.Dropout in a sequence of linear layers, found {module} elsewhere")
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise TypeError("replicas have no running statistics of their own: batch normalisation cannot be stacked")


def linear_layers_stacked(module: nn.Module, done: dict[nn.Module, nn.Module] | None = None) -> nn.Module:
    """The module with a `LinearReplicas` in the place of every linear layer, whose parameters are stacked already.

    `done`: what took the place of layers so far, for those that the net has twice.
    """
    done = {} if done is None else done
    if isinstance(module, nn.Linear):
        if module not in done:
            done[module] = LinearReplicas(module.weight.detach(), None if module.bias is None else module.bias.detach())
        return done[module]
    for name, child in list(module._modules.items()):
        if child is not None:
            setattr(module, name, linear_layers_stacked(child, done))
    return module


def stacked_rbm(first: RBM, own: dict[str, Tensor]) -> RBM:
    """An RBM whose coupling and biases have an axis of replicas, and whose states are (replicas, cases, *shape)."""
    if type(first.coupling) is not Dense:
        raise TypeError(f"replicas of RBMs take dense couplings, found {type(first.coupling).__name__}: learn these one by one")
    units = []
    for side, unit in (("visible", first.visible), ("hidden", first.hidden)):
        if type(unit) not in UNITS or [name for name, _ in unit.named_parameters()] != ["bias"]:
            kinds = ", ".join(kind.__name__ for kind in UNITS)
            raise TypeError(
                f"replicas take units whose only parameter is a bias ({kinds}), found {unit}: learn these one by one"
                + (", or give the units learn_variance=False" if isinstance(unit, Gaussian) else "")
            )
        bias = own[f"{side}.bias"]
        ones = [1] * (1 + len(unit.shape) - (bias.dim() - 1))  # of the cases, and of axes that share a bias
        units.append(with_parameters(unit, {"bias": nn.Parameter(bias.reshape(len(bias), *ones, *bias.shape[1:]))}))
    coupling = DenseReplicas(first.coupling.visible, first.coupling.hidden, own["coupling.weight"])
    return RBM(units[0], units[1], coupling)
