"""Conjugate gradients on each mini-batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor


class ConjugateGradients(torch.optim.Optimizer):
    """Conjugate gradients, begun anew on each mini-batch: a few line searches, as Hinton & Salakhutdinov (2006) fine-tuned their nets.

    The published protocol is `fine_tune(..., optimizer=hm.ConjugateGradients, batch_size=1000)`. There is no learning rate. A line search
    computes the gradient two or three times on average. Batches must be large, because each is fitted as if it were all the data.

    Parameters
    ----------
    params : iterable of Tensor or of dict
        Parameters or parameter groups.
    searches : int, default 3
        The largest number of line searches on a mini-batch, at least 1.

    Raises
    ------
    ValueError
        For no line search.

    Notes
    -----
    The rule of Polak & Ribière with line searches under the strong Wolfe conditions: `scipy.optimize.minimize(method="CG")`. See Hinton &
    Salakhutdinov (2006), doi:10.1126/science.1127647. Weight decay is a term of the loss. `fine_tune` takes L-BFGS too, as
    `partial(torch.optim.LBFGS, max_iter=3, max_eval=20, line_search_fn="strong_wolfe")`, which begins anew on each batch, too.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> net = torch.nn.Sequential(torch.nn.Linear(6, 3))
    >>> labels = torch.arange(6) // 2
    >>> state = hm.fine_tune(net, torch.eye(6), labels, optimizer=hm.ConjugateGradients, epochs=5, progress=False)
    >>> hm.predict(net, torch.eye(6)).argmax(1)
    tensor([0, 0, 1, 1, 2, 2])
    """

    def __init__(self, params: Any, searches: int = 3) -> None:
        if searches < 1:
            raise ValueError(f"conjugate gradients take at least one line search on a mini-batch, found searches={searches}")
        super().__init__(params, {"searches": searches})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any]) -> float:  # type: ignore[override]
        """A few line searches.

        Parameters
        ----------
        closure : callable
            Computes the gradient and returns the loss, of the same function each time.

        Returns
        -------
        float
            The loss that was found.
        """
        from scipy import optimize  # here, so that importing the package does not wait for it

        learnt = [each for group in self.param_groups for each in group["params"] if each.requires_grad]
        like = torch.cat([each.flatten() for each in learnt])
        sizes = [each.numel() for each in learnt]

        def set_to(point: np.ndarray[Any, Any]) -> None:
            for each, values in zip(learnt, torch.split(torch.from_numpy(point).to(like), sizes), strict=True):
                each.copy_(values.view_as(each))

        def loss_and_slope(point: np.ndarray[Any, Any]) -> tuple[float, np.ndarray[Any, Any]]:
            set_to(point)
            with torch.enable_grad():
                loss = float(torch.as_tensor(closure()).detach())
            return loss, _as_array(torch.cat([torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in learnt]))

        searches = self.param_groups[0]["searches"]
        found = optimize.minimize(loss_and_slope, _as_array(like), jac=True, method="CG", options={"maxiter": searches})
        set_to(found.x)
        return float(found.fun)


def _as_array(vector: Tensor) -> np.ndarray[Any, Any]:
    return vector.cpu().double().numpy()
