"""The mixture of factor analysers."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from harmonium.data.tables import as_tensor
from harmonium.models.factor_cases import as_cases
from harmonium.models.factor_draws import complete_block, draw_cases
from harmonium.models.factor_em import em
from harmonium.models.factor_posterior import Analysers, posteriors
from harmonium.models.factor_start import scale_of, start_at_clusters
from harmonium.models.shown import Shown
from harmonium.models.takes import anything, takes
from harmonium.units import NOTHING, Given

Noise = Literal["each", "shared"]


class MixtureOfFactorAnalysers(Shown):
    """A mixture of factor analysers over real vectors (Ghahramani & Hinton 1996).

    One component generates each case, from a few Gaussian factors and independent noise. Densities, posteriors and the steps of learning
    have closed forms. `fit` learns it.

    Parameters
    ----------
    visible : int
        Number of visible units.
    components : int
        Number of factor analysers.
    factors : int
        Number of factors of each, from 0 to `visible`. With 0 it is a mixture of Gaussians with diagonal covariances.
    noise : {"each", "shared"}, default "each"
        Whether each component has noise variances of its own, or all share them as in the paper. Clusters of real data are seldom equally
        noisy (see the notes), and the floor of `fit` keeps a component's own variances from vanishing.
    seed : int, default 0
        Seed of the means and loadings before `fit`.

    Attributes
    ----------
    logits : Parameter
        (components,). The mixing proportions are softmax(logits).
    mean : Parameter
        μ, (components, visible), in the data's units.
    loadings : Parameter
        L, (components, visible, factors), in the data's units per standard deviation of a factor.
    log_variance : Parameter
        log ψ, (components, visible), or (1, visible) if shared: natural logs of squares of the data's units.

    Raises
    ------
    ValueError
        For numbers below one, more factors than units, and another kind of noise.

    Notes
    -----
        p(v) = Σ_k π_k N(v; μ_k, L_k L_k' + Ψ_k)        Ψ_k = diag(ψ_k)

    Ghahramani & Hinton (1996), The EM algorithm for mixtures of factor analyzers, technical report CRG-TR-96-1, University of Toronto. No
    matrix larger than (factors, factors) is inverted for a density.

    On the 8x8 digits with uniform noise within their levels of grey (1,497 to learn from, 300 held out; 10 components of 4 factors, 100
    steps from three seeds), held-out cases have -118.7 to -119.5 nats with variances of their own, and -124.5 to -124.9 with shared ones.

    Parameters are float64, because EM's last steps gain less than float32 resolves. After `.float()` all is still computed in float64.

    Methods take data of every form. Values that `given=hm.Given(missing=...)` marks are integrated out exactly. What stands there, NaN
    included, is not read.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> generator = torch.Generator().manual_seed(0)
    >>> turn = 6.283 * torch.rand(500, 1, generator=generator)
    >>> ring = torch.cat([turn.cos(), turn.sin()], dim=1) + 0.1 * torch.randn(500, 2, generator=generator)
    >>> model = hm.MixtureOfFactorAnalysers(2, components=8, factors=1)
    >>> history = model.fit(ring)
    >>> bool((history.diff() >= 0).all())
    True
    >>> on, inside = model.log_likelihood(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    >>> bool(on > inside + 3)
    True
    >>> bool(model.complete(torch.tensor([[1.0, float("nan")]]))[0, 1].abs() < 0.2)
    True
    """

    def __init__(self, visible: int, components: int, factors: int, *, noise: Noise = "each", seed: int = 0) -> None:
        super().__init__()
        if visible < 1 or components < 1:
            raise ValueError(f"expected at least one visible unit and one component, found {visible=} and {components=}")
        if not 0 <= factors <= visible:
            raise ValueError(f"expected from 0 factors to as many as there are visible units, found {factors=} and {visible=}")
        if noise not in get_args(Noise):
            raise ValueError(f"noise must be one of {', '.join(get_args(Noise))}, found {noise!r}")
        self.visible, self.components, self.noise = visible, components, noise
        generator, kind = torch.Generator().manual_seed(seed), torch.float64
        self.logits = nn.Parameter(torch.zeros(components, dtype=kind))
        self.mean = nn.Parameter(torch.randn(components, visible, generator=generator, dtype=kind))
        self.loadings = nn.Parameter(torch.randn(components, visible, factors, generator=generator, dtype=kind) / max(1, factors) ** 0.5)
        self.log_variance = nn.Parameter(torch.zeros(1 if noise == "shared" else components, visible, dtype=kind))

    def extra_repr(self) -> str:
        return f"{self.visible}, components={self.components}, factors={self.loadings.shape[-1]}, noise={self.noise!r}"

    def analysers(self) -> Analysers:
        """The components as float64 tensors, through which gradients reach the parameters."""
        variance = self.log_variance.double().exp().expand(self.components, -1)
        return Analysers(torch.log_softmax(self.logits.double(), dim=0), self.mean.double(), self.loadings.double(), variance)

    @torch.no_grad()
    def set_analysers(self, analysers: Analysers) -> None:
        """Copy components into the parameters. With shared noise, the variances are those of the first component."""
        self.logits.copy_(analysers.log_mixing)
        self.mean.copy_(analysers.mean)
        self.loadings.copy_(analysers.loadings)
        self.log_variance.copy_(analysers.variance.log()[: len(self.log_variance)])

    @torch.no_grad()
    def fit(
        self,
        data: Any,
        *,
        given: Given = NOTHING,
        iterations: int = 500,
        tolerance: float = 1e-5,
        least_variance: float = 1e-4,
        start: bool = True,
        seed: int = 0,
        progress: bool = False,
    ) -> Tensor:
        """Learn by the EM algorithm, which never lowers the likelihood.

        Parameters
        ----------
        data : Tensor, array or frame of numbers
            (cases, visible), at least one case per component. They are visited in blocks, as float64.
        given : Given, optional
            `missing=`: true where a value was not seen, (cases, visible). Each unit is seen in some case.
        iterations : int, default 500
            The largest number of steps.
        tolerance : float, default 1e-5
            A step that gains no more than this, in nats per case, is the last.
        least_variance : float, default 1e-4
            The floor of the noise variances, as a share of the data's variance of each unit. Without one, a component on a single case has
            no greatest likelihood. For a unit that does not vary, it is a share of the mean variance of those that do.
        start : bool, default True
            Begin at clusters of the data, found by k-means, none of which has less than a tenth of an equal share, with random loadings.
            Otherwise go on from the present parameters.
        seed : int, default 0
            Seed of the start.
        progress : bool, default False
            Show the time left, in a bar on a terminal and otherwise in a line a minute.

        Returns
        -------
        Tensor
            (steps + 1,) float64: the mean log-likelihood of a case in nats, at the start and after each step. It never falls.

        Raises
        ------
        ValueError
            For data that do not fit the model or do not vary, and for a log-likelihood that is not finite. The parameters then stay as they
            were.

        Notes
        -----
        The latent variables are the component and its factors. Missing values are none of them: each unit is regressed on the factors over
        the cases that saw it. This is exact for values that are missing at random.

        K-means puts the components apart at once. On the digits of the class's notes, means drawn from the cases end at -119.0 to -120.7
        nats instead of -118.7 to -119.5. EM still finds a local maximum, so compare several seeds.

        A component that loses all its cases keeps its parameters, and its proportion
        goes to zero. To move it elsewhere could lower the likelihood.
        """
        cases = as_cases(data, self.visible, given)
        if len(cases.v) < self.components:
            raise ValueError(f"expected at least one case for each of {self.components} components, found {len(cases.v)} cases")
        if iterations < 0 or not tolerance >= 0 or not 0 < least_variance < 1:
            raise ValueError(
                "expected iterations and a tolerance of at least 0, and a least_variance between 0 and 1, found "
                f"{iterations=}, {tolerance=} and {least_variance=}"
            )
        scale, shared = scale_of(cases, self.mean), self.noise == "shared"
        first = start_at_clusters(cases, self.analysers(), scale, shared=shared, seed=seed) if start else self.analysers()
        floor = least_variance * scale.variance
        first = first._replace(variance=first.variance.maximum(floor))
        found, history = em(first, cases, floor=floor, shared=shared, iterations=iterations, tolerance=tolerance, progress=progress)
        self.set_analysers(found)
        return history

    @takes(v=anything)
    def log_likelihood(self, v: Tensor, given: Given = NOTHING) -> Tensor:
        """log p(v), a density, or that of the values which are not missing: (cases,) float64, in nats.

        Parameters
        ----------
        v : Tensor
            (cases, visible).
        given : Given, optional
            `missing=`: true where a value was not seen, (cases, visible).
        """
        return torch.cat([found.log_likelihood() for found in posteriors(self.analysers(), as_cases(v, self.visible, given))])

    @takes(v=anything)
    @torch.no_grad()
    def responsibilities(self, v: Tensor, given: Given = NOTHING) -> Tensor:
        """p(k | v), the probability that each component generated the case: (cases, components) float64.

        Parameters
        ----------
        v, given
            As for `log_likelihood`.
        """
        return torch.cat([found.responsibilities() for found in posteriors(self.analysers(), as_cases(v, self.visible, given))])

    @takes(v=anything)
    @torch.no_grad()
    def factors(self, v: Tensor, given: Given = NOTHING) -> tuple[Tensor, Tensor]:
        """E[z | v, k] and Cov[z | v, k]: the Gaussian posterior of the factors under each component.

        Parameters
        ----------
        v, given
            As for `log_likelihood`.

        Returns
        -------
        mean : Tensor
            (cases, components, factors) float64.
        covariance : Tensor
            (cases, components, factors, factors) float64. Without gaps it is the same for all cases, and takes the memory of one.
        """
        cases = as_cases(v, self.visible, given)
        means, covariances = zip(*((found.mean, found.covariance) for found in posteriors(self.analysers(), cases)), strict=True)
        each = covariances[:1] if cases.seen is None else covariances
        return torch.cat(means), torch.cat(each).expand(len(cases.v), -1, -1, -1)

    @torch.no_grad()
    def sample(self, count: int, *, generator: torch.Generator) -> Tensor:
        """`count` independent samples, (count, visible) of the parameters' type."""
        return draw_cases(self.analysers(), count, generator).to(self.mean.dtype)

    @takes(v=anything)
    @torch.no_grad()
    def complete(self, v: Tensor, missing: Any = None, *, generator: torch.Generator | None = None) -> Tensor:
        """Fill missing values with their means given the others, or with a draw if a generator is given. Both are exact.

        Parameters
        ----------
        v : Tensor
            (cases, visible). Any value may stand where one is missing, NaN included.
        missing : Tensor, optional
            True where a value is missing, (cases, visible) or (visible,); by default where `v` is NaN.
        generator : torch.Generator, optional
            The source of all draws.

        Returns
        -------
        Tensor
            (cases, visible) of the parameters' type: the seen values, with E[v | v_seen] or a draw from p(v | v_seen) in every gap.
        """
        analysers, gaps = self.analysers(), v.isnan() if missing is None else as_tensor(missing)
        blocks = as_cases(v, self.visible, Given(missing=gaps)).blocks(analysers.numbers, analysers.mean)
        return torch.cat([complete_block(analysers, block, generator) for block in blocks]).to(self.mean.dtype)

    def arguments(self) -> dict[str, object]:
        """The constructor's arguments, which make an untrained copy."""
        return {"visible": self.visible, "components": self.components, "factors": self.loadings.shape[2], "noise": self.noise}
