"""The deep mixture of factor analysers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from harmonium.models.factor_analysers import MixtureOfFactorAnalysers
from harmonium.models.factor_cases import Cases, as_cases
from harmonium.models.factor_draws import draw_cases, draw_factors
from harmonium.models.factor_posterior import Analysers, posteriors
from harmonium.models.shown import Shown
from harmonium.models.takes import anything, takes
from harmonium.seeds import derive, fresh_generator
from harmonium.units import NOTHING, Given


class DeepMixtureOfFactorAnalysers(Shown):
    """A mixture of factor analysers whose factors have a mixture of factor analysers as their prior (Tang, Salakhutdinov & Hinton 2012).

    Each component of the base has a prior of its own over its factors, in place of N(0, I). Before `fit` the priors are N(0, I), and the
    model is its base.

    Parameters
    ----------
    base : MixtureOfFactorAnalysers
        The first layer, learnt. It has at least one factor.
    components : int
        Number of components of each prior.
    factors : int
        Number of factors of each component of a prior, from 0 to the base's.

    Attributes
    ----------
    priors : ModuleList
        One `MixtureOfFactorAnalysers` over the factors for each component of the base.

    Raises
    ------
    ValueError
        For a base without factors, and numbers that are no shape of a prior.

    Notes
    -----
        p(v) = Σ_k π_k ∫ N(v; μ_k + L_k z, Ψ_k) p_k(z) dz        p_k(z) = Σ_c π_kc N(z; m_kc, A_kc A_kc' + Φ_kc)

    The factors are integrated out in closed form, so the model is a flat mixture with a component for each pair (k, c), whose mean is
    μ_k + L_k m_kc and whose loadings are L_k times a root of A_kc A_kc' + Φ_kc (`flat`). It is as large a mixture with fewer parameters,
    and its likelihood is exact. A prior that is itself deep is given by its own flat mixture.

    Tang, Salakhutdinov & Hinton (2012), Deep mixtures of factor analysers, ICML.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> v = torch.randn(300, 4, generator=torch.Generator().manual_seed(0)).exp()
    >>> base = hm.MixtureOfFactorAnalysers(4, components=2, factors=2)
    >>> history = base.fit(v)
    >>> deep = hm.DeepMixtureOfFactorAnalysers(base, components=3, factors=1)
    >>> before, after = deep.fit(v)
    >>> bool(after > before)
    True
    >>> deep.flat().components
    6
    """

    def __init__(self, base: MixtureOfFactorAnalysers, components: int, factors: int) -> None:
        super().__init__()
        size = base.loadings.shape[2]
        if not size:
            raise ValueError("expected a base with factors, over which the second layer is a prior, found one with none")
        self.base = base
        self.priors = nn.ModuleList(MixtureOfFactorAnalysers(size, components, factors).to(base.mean) for _ in range(base.components))
        for prior in self.each():
            for parameter in prior.parameters():
                nn.init.zeros_(parameter)

    def each(self) -> list[MixtureOfFactorAnalysers]:
        """The priors as a typed list."""
        return [prior for prior in self.priors if isinstance(prior, MixtureOfFactorAnalysers)]

    def analysers(self) -> Analysers:
        """The components of the flat mixture as float64 tensors, through which gradients reach the parameters."""
        base = self.base.analysers()
        log_mixing, means, loadings, variances = [], [], [], []
        for k, prior in enumerate(prior.analysers() for prior in self.each()):
            root = torch.linalg.cholesky(prior.loadings @ prior.loadings.mT + torch.diag_embed(prior.variance))
            log_mixing.append(base.log_mixing[k] + prior.log_mixing)
            means.append(base.mean[k] + prior.mean @ base.loadings[k].T)
            loadings.append(base.loadings[k] @ root)
            variances.append(base.variance[k].expand(len(prior.mean), -1))
        return Analysers(torch.cat(log_mixing), torch.cat(means), torch.cat(loadings), torch.cat(variances))

    def flat(self) -> MixtureOfFactorAnalysers:
        """The same distribution as one mixture of components x prior components, with as many factors as the base.

        It completes, gives responsibilities, and learns further by its own `fit(..., start=False)`.
        """
        analysers = self.analysers()
        components, visible, factors = analysers.loadings.shape
        found = MixtureOfFactorAnalysers(visible, components, factors).to(self.base.mean)
        found.set_analysers(analysers)
        return found

    @torch.no_grad()
    def fit(
        self,
        data: Any,
        *,
        given: Given = NOTHING,
        iterations: int = 500,
        tolerance: float = 1e-5,
        least_variance: float = 1e-4,
        seed: int = 0,
        progress: bool = False,
    ) -> Tensor:
        """Learn the priors, while the base stays as it is.

        Each case is assigned to a component of the base, drawn from its responsibilities, with factors drawn from their posterior. The
        prior of a component is then learnt by EM from the factors of its cases. A component with fewer cases than its prior has components
        keeps the prior that it has.

        Parameters
        ----------
        data : Tensor, array or frame of numbers
            (cases, visible).
        given : Given, optional
            `missing=`: true where a value was not seen, (cases, visible).
        iterations, tolerance, least_variance, progress
            Of each prior's EM: see `MixtureOfFactorAnalysers.fit`.
        seed : int, default 0
            Seed of the draws and of the starts.

        Returns
        -------
        Tensor
            (2,) float64: the mean log-likelihood of a case in nats, before and after. Greedy learning raises a bound of it, so the
            second is nearly always the larger.

        Raises
        ------
        ValueError
            For data that do not fit the model.
        """
        cases, base = as_cases(data, self.base.visible, given), self.base.analysers()
        before = self._mean_log_likelihood(cases)
        generator = fresh_generator(base.mean, derive(seed, 0))
        drawn = [draw_factors(base, block, generator) for block in cases.blocks(base.numbers, base.mean)]
        chosen, factors = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        for k, prior in enumerate(self.each()):
            own = factors[chosen == k]
            if len(own) >= max(2, prior.components):
                prior.fit(
                    own,
                    iterations=iterations,
                    tolerance=tolerance,
                    least_variance=least_variance,
                    seed=derive(seed, 1, k),
                    progress=progress,
                )
        return torch.tensor([before, self._mean_log_likelihood(cases)], dtype=torch.float64)

    def _mean_log_likelihood(self, cases: Cases) -> float:
        return torch.cat([found.log_likelihood() for found in posteriors(self.analysers(), cases)]).mean().item()

    @takes(v=anything)
    def log_likelihood(self, v: Tensor, given: Given = NOTHING) -> Tensor:
        """log p(v), a density, or that of the values which are not missing: (cases,) float64, in nats. It is exact.

        Parameters
        ----------
        v : Tensor
            (cases, visible).
        given : Given, optional
            `missing=`: true where a value was not seen, (cases, visible).
        """
        return torch.cat([found.log_likelihood() for found in posteriors(self.analysers(), as_cases(v, self.base.visible, given))])

    @torch.no_grad()
    def sample(self, count: int, *, generator: torch.Generator) -> Tensor:
        """`count` independent samples, (count, visible) of the parameters' type."""
        return draw_cases(self.analysers(), count, generator).to(self.base.mean.dtype)

    def arguments(self) -> dict[str, object]:
        """The constructor's arguments, which make an untrained copy."""
        prior = self.each()[0]
        return {"base": self.base, "components": prior.components, "factors": prior.loadings.shape[2]}
