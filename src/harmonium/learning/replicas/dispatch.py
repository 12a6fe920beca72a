"""Entry points that train one model, and replicas by another function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

from harmonium.learning.per_layer import check_one_layer
from harmonium.learning.replicas.stacking import Replicas

P = ParamSpec("P")
Q = ParamSpec("Q")
R_co = TypeVar("R_co", covariant=True)


class Both(Protocol[P, Q, R_co]):
    """A function with the arguments of either of two."""

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @overload
    def __call__(self, *args: Q.args, **kwargs: Q.kwargs) -> R_co: ...


def or_replicas(many: Callable[Q, R_co]) -> Callable[[Callable[P, R_co]], Both[P, Q, R_co]]:
    """A decorator of an entry point: sends `Replicas` to `many`, whose arguments are some of its own."""
    known = inspect.signature(many).parameters

    def decorate(one: Callable[P, R_co]) -> Both[P, Q, R_co]:
        name: str = one.__name__
        own = inspect.signature(one).parameters
        model = next(iter(own))

        @wraps(one)
        def call(*args: Any, **kwargs: Any) -> R_co:
            check_one_layer(f"hm.{name}", kwargs)
            if not isinstance(args[0] if args else kwargs.get(model), Replicas):
                return one(*args, **kwargs)
            for setting in kwargs:
                if setting not in own:
                    raise TypeError(f"hm.{name} has no argument {setting}=")
                if setting not in known:
                    raise ValueError(f"hm.{name} of replicas takes no {setting}=: train such models one by one")
            return many(*args, **kwargs)

        return cast("Both[P, Q, R_co]", call)

    return decorate


S_co = TypeVar("S_co", covariant=True)
S = TypeVar("S")
T = TypeVar("T")


class OneOrMany(Protocol[P, R_co, Q, S_co]):
    """A function of one result, or with the arguments of another of many."""

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @overload
    def __call__(self, *args: Q.args, **kwargs: Q.kwargs) -> S_co: ...


def or_many(many: Callable[Q, S]) -> Callable[[Callable[P, T]], OneOrMany[Q, S, P, T]]:
    """A decorator of an entry point: sends calls with `replicas=` to `many`."""

    def decorate(one: Callable[P, T]) -> OneOrMany[Q, S, P, T]:
        @wraps(one)
        def call(*args: Any, **kwargs: Any) -> Any:
            return one(*args, **kwargs) if kwargs.get("replicas") is None else many(*args, **kwargs)

        return cast("OneOrMany[Q, S, P, T]", call)

    return decorate
