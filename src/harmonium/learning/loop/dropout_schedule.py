"""The learning rate and the momentum of the dropout paper."""

from __future__ import annotations

from torch.optim import Optimizer

from harmonium.learning.loop.schedules import Schedule


def dropout_schedule(
    optimizer: Optimizer, *, decay: float = 0.998, momentum: tuple[float, float] = (0.5, 0.99), rise: int = 500
) -> Schedule:
    """The schedule of Hinton et al. (2012) for nets with dropout: the momentum rises, and the rate falls with what it leaves.

    In epoch t the rate is the optimiser's own times `decay`^t times (1 - momentum), and the momentum rises linearly for `rise` epochs.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        The optimiser, such as SGD with the published rate of 1.0 (see the notes). `fine_tune(..., schedule=hm.dropout_schedule)` gives it.
    decay : float, default 0.998
        The factor on the rate, each epoch.
    momentum : tuple of float, default (0.5, 0.99)
        The momentum of the first epoch, and that from epoch `rise` on.
    rise : int, default 500
        The number of epochs in which the momentum rises, at least 1.

    Returns
    -------
    Schedule
        The schedule.

    Raises
    ------
    ValueError
        For numbers outside these ranges.

    Notes
    -----
    See Hinton, Srivastava, Krizhevsky, Sutskever & Salakhutdinov (2012), arXiv:1207.0580, appendix A: 1,000 epochs of mini-batches of 100,
    at a rate of 1.0 for pre-trained nets (10 for others, with a bound on the weights). The rates of `hm.nets.Dropout` are lower, by a
    factor of (1 - p)² on the weights that follow it.

    Examples
    --------
    >>> from functools import partial
    >>> import torch, harmonium as hm
    >>> net = torch.nn.Sequential(torch.nn.Linear(6, 2))
    >>> plan = partial(hm.dropout_schedule, rise=4)
    >>> sgd = partial(torch.optim.SGD, lr=1.0)
    >>> state = hm.fine_tune(net, torch.eye(6), torch.arange(6) % 2, optimizer=sgd, schedule=plan, epochs=2, progress=False)
    >>> group = state.optimizer.param_groups[0]
    >>> group["momentum"], round(group["lr"], 4)  # after two epochs
    (0.745, 0.254)
    """
    first, last = momentum
    if not (0 < decay <= 1 and 0 <= first < 1 and 0 <= last < 1):
        raise ValueError(f"expected a decay above 0 and at most 1, and momenta from 0 to below 1, found decay={decay}, momentum={momentum}")
    if rise < 1:
        raise ValueError(f"the momentum rises for at least one epoch, found rise={rise}")

    def momentum_of(epoch: int) -> float:
        return first + (last - first) * min(epoch / rise, 1.0)

    return Schedule(optimizer, lr=lambda epoch: decay**epoch * (1 - momentum_of(epoch)), momentum=momentum_of)
