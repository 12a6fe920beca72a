"""Tiny machines of every pair of kinds with random parameters, and the same parameters as plain arrays for the oracle."""

import itertools

import numpy as np
import torch

import harmonium as hm
from harmonium.units import NOTHING, Given
from tests import oracle

LAYERS = {
    "bernoulli": lambda: hm.Bernoulli(3),
    "gaussian": lambda: hm.Gaussian(2, learn_variance=False),
    "learnt_gaussian": lambda: hm.Gaussian(2, learn_variance=True),
    "softmax": lambda: hm.Softmax(2, categories=3),
    "bernoulli_softmax": lambda: hm.Groups(hm.Bernoulli(2), hm.Softmax(1, categories=3)),
    "gaussian_bernoulli": lambda: hm.Groups(hm.Gaussian(1, learn_variance=True), hm.Bernoulli(2)),
    "spin": lambda: hm.Spin(3),
    "binomial": lambda: hm.Binomial(2, copies=3),
    "stepped": lambda: hm.SteppedSigmoid(2, copies=3),
    "unbounded_stepped": lambda: hm.SteppedSigmoid(2),
    "poisson": lambda: hm.Poisson(2),
    "exponential": lambda: hm.Exponential(2),
    "truncated": lambda: hm.TruncatedGaussian(2, learn_variance=False),
    "learnt_truncated": lambda: hm.TruncatedGaussian(2, learn_variance=True),
    "pooled": lambda: hm.PooledBlocks(4, pool=(2,)),
    "spin_binomial_pooled": lambda: hm.Groups(hm.Spin(1), hm.Binomial(1, copies=2), hm.PooledBlocks(2, pool=(2,))),
    "poisson_truncated_stepped": lambda: hm.Groups(
        hm.Poisson(1), hm.TruncatedGaussian(1, learn_variance=True), hm.SteppedSigmoid(1, copies=2)
    ),
    "exponential_gaussian_spin": lambda: hm.Groups(hm.Exponential(1), hm.Gaussian(1, learn_variance=False), hm.Spin(1)),
}
WORDS = 3
VISIBLE_ALONE = {
    "replicated": lambda: hm.ReplicatedSoftmax(3),
    "replicated_bernoulli": lambda: hm.Groups(hm.ReplicatedSoftmax(2), hm.Bernoulli(2)),
}

EVERY = {**LAYERS, **VISIBLE_ALONE}

SLOW = ("exponential", "poisson")
ONE_SIDED = ("truncated", "unbounded_stepped")
REAL = ("gaussian", "truncated", "exponential")


def made(kind):
    """A layer of this kind, or the layer itself."""
    return EVERY[kind]() if isinstance(kind, str) else kind


def leaves(unit):
    """The layers that a layer is made of."""
    return [leaf for part in unit.layers() for leaf in leaves(part)] if isinstance(unit, hm.Groups) else [unit]


def kind_of(leaf):
    """What the oracle calls the kind."""
    return {
        "TruncatedGaussian": "truncated",
        "SteppedSigmoid": "stepped" if getattr(leaf, "copies", None) is not None else "unbounded_stepped",
        "PooledBlocks": "pooled",
        "ReplicatedSoftmax": "words",
    }.get(type(leaf).__name__, type(leaf).__name__.lower())


def names(kind):
    """The oracle's names of what a kind of layer is made of."""
    return [kind_of(leaf) for leaf in leaves(made(kind))]


def possible(visible, hidden):
    """Whether some weights other than zero give the pair a partition function: no counting or exponential layer faces a Gaussian one."""
    return not any(
        all(n in SLOW for n in names(one)) and all(n == "gaussian" for n in names(other))
        for one, other in ((visible, hidden), (hidden, visible))
    )


def real(kind):
    """Whether some of a layer's units are real-valued."""
    return any(n in REAL for n in names(kind))


def endless(kind):
    """Whether a layer's states have no end, so that they cannot be listed."""
    return any(n in (*SLOW, *ONE_SIDED, "gaussian", "words") for n in names(kind))


def closed_form(visible, hidden):
    """Whether log Z can be had exactly: by listing one side, documents of a length too, or where no units but Gaussian ones are endless."""
    if not any(n in (*SLOW, *ONE_SIDED, "gaussian") for n in names(visible)):
        return True
    kinds = {*names(visible), *names(hidden)} & {*SLOW, *ONE_SIDED, "words"}
    return not kinds or not (endless(visible) and endless(hidden))


OLD = list(LAYERS)[:6]
EVERY_PAIR = [pair for pair in itertools.product(EVERY, LAYERS) if possible(*pair)]
# A subset for what is dear: each of the first kinds with each, each new kind once visible and once hidden with four others.
PAIRS = [
    (visible, hidden)
    for visible, hidden in itertools.product(LAYERS, LAYERS)
    if possible(visible, hidden)
    and ({visible, hidden} <= set(OLD) or (list(LAYERS).index(visible) * 5 + list(LAYERS).index(hidden) * 3) % 7 == 0)
]
# The oracle's own: also a document or two, whose length must be given.
TABLED = [*PAIRS, *(("replicated", h) for h in ("bernoulli", "softmax", "poisson", "gaussian_bernoulli")), ("replicated_bernoulli", "spin")]
TABLED = [pair for pair in TABLED if pair in EVERY_PAIR]


def given(visible, *leading, words=WORDS):
    """What a layer's states do not say of their case where only the hidden ones are known: the length of a document."""
    if any(n == "words" for n in names(visible)):
        return Given(length=torch.full(leading, float(words), dtype=torch.float64))
    return NOTHING


def randomise(unit, draw, size=0.7):
    """Biases of a few tenths; variances between 0.7 and 1.5, different for each unit; rates and Poisson means about one."""
    for part in leaves(unit):
        parameter = part.log_rate if hasattr(part, "log_rate") else part.bias
        slow = kind_of(part) in SLOW
        parameter.data = torch.tensor((0.3 if slow else size) * draw.normal(size=parameter.shape)).to(parameter)
        if hasattr(part, "log_variance"):
            part.log_variance.data = torch.tensor(np.log(draw.uniform(0.7, 1.5, part.log_variance.shape))).to(parameter)


def reach(leaf):
    """The largest sum of absolute statistics that a bounded layer can send, at most four words long."""
    return {
        "binomial": leaf.shape[0] * getattr(leaf, "copies", 0),
        "stepped": leaf.shape[0] * (getattr(leaf, "copies", 0) or 0),
        "words": 2 * 4,
    }.get(kind_of(leaf), leaf.shape[0])


def allowed(raw, visible, hidden, size):
    """Weights made of random numbers, (visible statistic, hidden statistic), under which the machine has a partition function:

    none between a counting or exponential unit and a Gaussian one, none positive between such units or towards rectified ones, small
    ones between units of quadratic energy, and such ones towards an exponential unit that no states of a bounded layer reach half its rate.
    """
    both_quadratic = all(any(kind_of(leaf) in (*ONE_SIDED, "gaussian") for leaf in leaves(unit)) for unit in (visible, hidden))
    weight, top = np.zeros(raw.shape), 0
    for row in leaves(visible):
        bottom, left = top + int(np.prod(row.statistic_shape)), 0
        for column in leaves(hidden):
            right = left + int(np.prod(column.statistic_shape))
            kinds, block = {kind_of(row), kind_of(column)}, raw[top:bottom, left:right]
            slow = kinds & set(SLOW)
            if slow and "gaussian" in kinds:
                block = 0 * block
            elif kind_of(row) in (*SLOW, *ONE_SIDED) and kind_of(column) in (*SLOW, *ONE_SIDED) and slow:
                block = -0.3 * np.abs(block)
            elif "exponential" in kinds:
                bounded, parts = (row, hidden) if kind_of(column) == "exponential" else (column, visible)
                other = visible if parts is hidden else hidden
                block = 0.2 * np.tanh(block) / (reach(bounded) * len(leaves(other)))
            elif slow or (kinds & {*ONE_SIDED, "binomial", "stepped", "words"} and not both_quadratic):
                block = 0.3 * block
            else:
                block = (0.2 if both_quadratic else size) * block
            weight[top:bottom, left:right] = block
            left = right
        top = bottom
    return weight


def machine(visible, hidden, *, seed=0, size=0.7):
    """A random float64 RBM of two layers, well inside what can be normalised."""
    draw = np.random.default_rng(
        [seed, *(ord(letter) for kind in (visible, hidden) for letter in (kind if isinstance(kind, str) else str(kind)))]
    )
    rbm = hm.RBM(made(visible), made(hidden)).double()
    randomise(rbm.visible, draw, size)
    randomise(rbm.hidden, draw, size)
    if rbm.visible.scales_hidden_bias:
        rbm.hidden.bias_from_coupling()
    raw = draw.normal(size=rbm.coupling.weight.shape)
    rbm.coupling.weight.data = torch.tensor(allowed(raw, rbm.visible, rbm.hidden, size))
    return rbm


def parts(unit, words=WORDS):
    """The layer as the oracle's plain arrays; documents have `words` words."""
    found = []
    for part in leaves(unit):

        def array(tensor, shape=part.shape):
            return tensor.detach().double().expand(shape).flatten().numpy()

        kind = kind_of(part)
        variance = array(part.log_variance.exp()) if hasattr(part, "log_variance") else None
        settings = {
            "softmax": lambda part=part: {"categories": part.categories},
            "binomial": lambda part=part: {"copies": part.copies},
            "stepped": lambda part=part: {"copies": part.copies},
            "pooled": lambda part=part: {"blocks": blocks(part.shape, part.pool)},
            "words": lambda: {"length": words},
        }.get(kind, dict)()
        bias = array(part.log_rate if hasattr(part, "log_rate") else part.bias)
        found.append(oracle.Part("stepped" if kind == "unbounded_stepped" else kind, bias, variance=variance, **settings))
    return tuple(found)


def blocks(shape, pool):
    """The flat places of each block of the last axes."""
    places = np.arange(int(np.prod(shape))).reshape(shape)
    ahead = len(shape) - len(pool)
    corners = itertools.product(*map(range, shape[:ahead]), *(range(0, n, p) for n, p in zip(shape[ahead:], pool, strict=True)))
    found = []
    for corner in corners:
        box = (*corner[:ahead], *(slice(start, start + p) for start, p in zip(corner[ahead:], pool, strict=True)))
        found.append(tuple(int(place) for place in places[box].flatten()))
    return tuple(found)


def plain(rbm, words=WORDS):
    """The machine as the oracle's plain arrays."""
    return oracle.Machine(parts(rbm.visible, words), parts(rbm.hidden, words), rbm.coupling.weight.detach().double().numpy())


def samples(unit, cases, seed):
    """States of a layer, each unit drawn on its own, broadly spread: (cases, units) float64. Documents have three words."""
    draw, columns = np.random.default_rng(seed), []
    for part in leaves(unit):
        kind, shape = kind_of(part), (cases, *part.shape)
        if kind == "gaussian":
            columns.append(draw.normal(size=shape) * 1.3)
        elif kind in ("truncated", "exponential"):
            columns.append(np.abs(draw.normal(size=shape) * 1.3))
        elif kind == "softmax":
            columns.append(np.eye(part.categories)[draw.integers(part.categories, size=(cases, part.groups))].reshape(cases, -1))
        elif kind == "words":
            columns.append(draw.multinomial(WORDS, np.ones(part.shape[0]) / part.shape[0], size=cases).astype(float))
        elif kind == "pooled":
            x = np.zeros((cases, int(np.prod(part.shape))))
            for block in blocks(part.shape, part.pool):
                which = draw.integers(len(block) + 1, size=cases)
                for place, unit_ in enumerate(block):
                    x[:, unit_] = which == place
            columns.append(x.reshape(shape))
        elif kind == "spin":
            columns.append(2.0 * draw.integers(2, size=shape) - 1)
        else:
            top = {"bernoulli": 1, "poisson": 4, "unbounded_stepped": 4}.get(kind, getattr(part, "copies", None))
            columns.append(draw.integers(top + 1, size=shape).astype(float))
    return np.concatenate(columns, axis=1) if len(columns) > 1 else columns[0]


def named(rbm, key):
    """The parameter that the oracle calls `key`, or None where it is a constant."""
    side, index, parameter = key
    module = getattr(rbm, side)
    if side != "coupling":
        module = leaves(module)[index]
    found = dict(module.named_parameters()).get(parameter)
    return found if found is not None and found.requires_grad else None


def close(found, expected, tolerance=1e-5):
    """Agreement to tolerance · max(1, |value|)."""
    found, expected = (x.detach().double().numpy() if isinstance(x, torch.Tensor) else np.asarray(x) for x in (found, expected))
    assert found.shape == expected.shape
    error = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    assert not np.isnan(error).any()
    assert error.max(initial=0) <= tolerance, f"off by {error.max():.3g}"
