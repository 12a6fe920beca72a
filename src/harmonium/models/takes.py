"""Data of any form for the methods of models, converted at the border."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from harmonium.data.tables import as_tensor
from harmonium.units import Given, Unit
from harmonium.units.checks import check_finite, check_shape

Method = TypeVar("Method", bound=Callable[..., Any])
Layers = Callable[[Any], Unit | Sequence[Unit] | None]


class Argument(NamedTuple):
    """An argument that holds data: its name, its place among the positional ones, and the layer or layers whose states it holds."""

    name: str
    place: int
    layers: Layers

    def of(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """What the caller gave for it."""
        return args[self.place] if self.place < len(args) else keywords.get(self.name)


def takes(**layers: Layers) -> Callable[[Method], Method]:
    """Makes a method of a model take data of every form: the one converter at the border of all models.

    Tensors of floats go to the method as they are, means included; only if it fails on them are their shape, type and device looked at. So
    a loop over states pays for a look at their type and no more. All else is converted: bytes and integers as the units take them (after a
    check of their support), and arrays, lists, frames and sparse matrices to tensors of the model's type and device. The method then
    answers in kind: with tensors where all data were tensors, otherwise with NumPy arrays.

    Parameters
    ----------
    **layers
        For each argument that holds data, a function from the model to the layer whose states they are; to a list of layers, if the
        argument is a sequence of states; or to None for states of no one layer. An argument may be left out or None if it is optional.

    Returns
    -------
    callable
        The decorator.

    Examples
    --------
    >>> import numpy as np, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(6), hm.Bernoulli(4))
    >>> type(rbm.hidden_mean(np.eye(6, dtype=np.uint8))).__name__
    'ndarray'
    """

    def decorate(method: Method) -> Method:
        signature = list(inspect.signature(method).parameters.values())[1:]
        names = [parameter.name for parameter in signature]
        arguments = [Argument(name, names.index(name), each) for name, each in layers.items()]
        optional = {parameter.name for parameter in signature if parameter.default is None}
        given_at = names.index("given") if "given" in names else None
        (name, place, _), alone = arguments[0], len(arguments) == 1

        @wraps(method)
        def border(self: nn.Module, *args: Any, **keywords: Any) -> Any:
            data = args[place] if place < len(args) else keywords.get(name)
            floats = type(data) is Tensor and data.is_floating_point()  # written out, because loops over states come here
            if (floats and alone) or all(_is_floats(argument.of(args, keywords)) for argument in arguments):
                try:
                    return method(self, *args, **keywords)
                except (RuntimeError, IndexError) as error:
                    new_args, new_keywords = converted(self, args, keywords)
                    if _same(args, new_args) and _same(keywords.values(), new_keywords.values()):
                        raise
                    failed = error
                try:
                    return method(self, *new_args, **new_keywords)
                except RuntimeError as error:
                    raise error from failed
            new_args, new_keywords = converted(self, args, keywords)
            if all(_is_tensors(argument.of(args, keywords)) for argument in arguments):
                return method(self, *new_args, **new_keywords)
            with torch.no_grad():
                return _in_arrays(method(self, *new_args, **new_keywords))

        def converted(model: nn.Module, args: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
            given = keywords.get("given") if given_at is None or given_at >= len(args) else args[given_at]
            listed, named = list(args), dict(keywords)
            for argument in arguments:
                present = argument.place < len(args) or argument.name in keywords
                if not present or (argument.of(args, keywords) is None and argument.name in optional):
                    continue
                found = states_of(model, argument.layers(model), argument.of(args, keywords), given)
                if argument.place < len(args):
                    listed[argument.place] = found
                else:
                    named[argument.name] = found
            return tuple(listed), named

        return border  # type: ignore[return-value]

    return decorate


def states_of(model: nn.Module, layers: Unit | Sequence[Unit] | None, data: Any, given: Given | None) -> Any:
    """Data of any form as states of a layer, or of several: (*leading, *shape), of the model's type and device."""
    if isinstance(layers, Sequence):
        if not isinstance(data, Sequence) or len(data) != len(layers):
            found = f"{len(data)} of them" if isinstance(data, Sequence) else type(data).__name__
            raise ValueError(f"expected a list of states, one for each of {len(layers)} layers, found {found}")
        return [states_of(model, layer, states, given) for layer, states in zip(layers, data, strict=True)]
    rows = as_tensor(data)
    if layers is None:
        like = next(model.parameters())
        return rows.to(device=like.device, dtype=like.dtype)
    name = type(layers).__name__
    check_shape(name, rows, layers.shape)
    if given is None or (given.present is None and given.missing is None):  # else what stands in the gaps is not read
        if not rows.is_floating_point():
            layers.check(rows)
        elif not isinstance(data, Tensor):
            check_finite(name, rows)
    return layers.from_data(rows, layers.zero_input())


def _is_floats(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.is_floating_point()
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(each, Tensor) and each.is_floating_point() for each in value)


def _is_tensors(value: Any) -> bool:
    return (
        value is None or isinstance(value, Tensor) or (isinstance(value, list | tuple) and all(isinstance(each, Tensor) for each in value))
    )


def _same(before: Any, after: Any) -> bool:
    return all(one is other for one, other in zip(before, after, strict=True))


def _in_arrays(answer: Any) -> Any:
    """Tensors, and those in a list, as NumPy arrays. All else as it is."""
    if isinstance(answer, Tensor):
        return answer.numpy(force=True)
    return type(answer)(map(_in_arrays, answer)) if type(answer) in (list, tuple) else answer


def data_layer(model: Any) -> Unit:
    """The layer of the data."""
    found: Unit = model.visible
    return found


def hidden_layer(model: Any) -> Unit:
    """The hidden layer."""
    found: Unit = model.hidden
    return found


def one_layer(model: Any) -> Unit:
    """All units of a machine with one layer."""
    found: Unit = model.units
    return found


def all_layers(model: Any) -> Sequence[Unit]:
    """Every layer from the data upwards."""
    found: Sequence[Unit] = model.layers
    return found


def hidden_layers(model: Any) -> Sequence[Unit]:
    """Every layer above the data."""
    return all_layers(model)[1:]


def anything(model: Any) -> None:
    """States of no one layer."""
