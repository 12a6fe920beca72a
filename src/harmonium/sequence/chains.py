"""Hidden Markov models that are chains of nodes: forward-backward and Viterbi, over a batch, in logarithms.

See Rabiner (1989), doi:10.1109/5.18626, whose α, β, γ and δ these are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot


@dataclass(frozen=True, eq=False)
class Chains:
    """The nodes that each utterance of a batch passes through, and the log-probabilities of passing.

    Parameters
    ----------
    states : Tensor
        (batch, nodes) int64, the state that a node has its scores of.
    entered : Tensor
        (batch, offsets, nodes) float64, log-probability of entering a node from the one `offsets[i]` before it; -inf if there is no way.
    start, end : Tensor
        (batch, nodes) float64, log-probability of the first frame's being in a node, and of ending after a frame in it.
    least : Tensor
        (batch,) int64, frames that an utterance has at least.
    offsets : tuple of int
        Of which the first is 0, the loop.
    """

    states: Tensor
    entered: Tensor
    start: Tensor
    end: Tensor
    least: Tensor
    offsets: tuple[int, ...]

    def emitted(self, scores: Tensor) -> Tensor:
        """(batch, frames, nodes) float64, of scores of states, (batch, frames, states)."""
        return scores.double().gather(2, self.states[:, None].expand(-1, scores.shape[1], -1))

    def ways(self, before: Tensor) -> Tensor:
        """(offsets, batch, nodes): what each way into a node has, of (batch, nodes) at the frame before."""
        return torch.stack([later(before, offset) for offset in self.offsets]) + self.entered.transpose(0, 1)


@dataclass(frozen=True, eq=False)
class Posteriors:
    """Where the frames are, given all scores.

    Parameters
    ----------
    log_likelihood : Tensor
        (batch,) float64, of the sum over all paths, or of the best one.
    occupancy : Tensor
        (batch, frames, nodes) float64, the probability that a frame is in a node; 0 beyond an utterance's end.
    loops : Tensor
        (batch, nodes) float64, the expected number of frames that are followed by another in the same node.
    """

    log_likelihood: Tensor
    occupancy: Tensor
    loops: Tensor


def forward_backward(chains: Chains, scores: Tensor, lengths: Tensor) -> Posteriors:
    """The sum over all paths, and the probability of each node at each frame.

    Parameters
    ----------
    chains : Chains
        The nodes.
    scores : Tensor
        (batch, frames, states), log-likelihoods of the frames; anything finite beyond an utterance's end.
    lengths : Tensor
        (batch,) int64, frames of each utterance.

    Returns
    -------
    Posteriors
        Log-likelihood, occupancy of nodes, loops.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> hmm = hm.sequence.PhoneHMM.alike(["a", "b"], states=1)
    >>> found = hm.sequence.forward_backward(hmm.chains([["a", "b"]]), torch.zeros(1, 3, 2), torch.tensor([3]))
    >>> found.occupancy[0]
    tensor([[1.0000, 0.0000],
            [0.5000, 0.5000],
            [0.0000, 1.0000]], dtype=torch.float64)
    """
    emitted = chains.emitted(scores)
    alphas, betas, frames = torch.empty_like(emitted), torch.empty_like(emitted), emitted.shape[1]
    alpha, beta = chains.start + emitted[:, 0], chains.end
    alphas[:, 0], betas[:, -1] = alpha, beta
    for frame in range(1, frames):
        reached = chains.ways(alpha).logsumexp(0) + emitted[:, frame]
        alphas[:, frame] = alpha = torch.where((frame < lengths)[:, None], reached, alpha)
    total = (alpha + chains.end).logsumexp(1)
    for frame in reversed(range(frames - 1)):
        ahead = beta + emitted[:, frame + 1]
        onwards = [earlier(ahead + chains.entered[:, way], offset) for way, offset in enumerate(chains.offsets)]
        betas[:, frame] = beta = torch.where((frame < lengths - 1)[:, None], torch.stack(onwards).logsumexp(0), chains.end)
    inside = (torch.arange(frames) < lengths[:, None])[:, :, None]
    occupancy = (alphas + betas - total[:, None, None]).exp() * inside
    both = alphas[:, :-1] + chains.entered[:, None, 0] + emitted[:, 1:] + betas[:, 1:]
    loops = ((both - total[:, None, None]).exp() * inside[:, 1:]).sum(1)
    return Posteriors(total, occupancy, loops)


def viterbi(chains: Chains, scores: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """The best path.

    Parameters
    ----------
    chains, scores, lengths
        As for `forward_backward`.

    Returns
    -------
    log_likelihood : Tensor
        (batch,) float64, of the path.
    nodes : Tensor
        (batch, frames) int64; beyond an utterance's end its last node.

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> hmm, scores = hm.sequence.PhoneHMM.alike(["a", "b"], states=1), torch.zeros(1, 4, 2)
    >>> scores[0, :3, 0] = 5
    >>> hm.sequence.viterbi(hmm.chains([["a", "b"]]), scores, torch.tensor([4]))[1]
    tensor([[0, 0, 0, 1]])
    """
    emitted, offsets = chains.emitted(scores), torch.tensor(chains.offsets)
    delta, taken = chains.start + emitted[:, 0], torch.zeros(emitted.shape, dtype=torch.uint8)
    for frame in range(1, emitted.shape[1]):
        best, way = chains.ways(delta).max(0)
        inside = (frame < lengths)[:, None]
        delta = torch.where(inside, best + emitted[:, frame], delta)
        taken[:, frame] = way * inside  # the first way is to stay
    total, node = (delta + chains.end).max(1)
    nodes = torch.empty(emitted.shape[:2], dtype=torch.int64)
    for frame in reversed(range(emitted.shape[1])):
        nodes[:, frame] = node
        node = node - offsets[taken[:, frame].gather(1, node[:, None]).squeeze(1).long()]
    return total, nodes


def of_best_path(chains: Chains, scores: Tensor, lengths: Tensor) -> Posteriors:
    """As `forward_backward` has them, with all probability on the best path: for Viterbi training."""
    total, nodes = viterbi(chains, scores, lengths)
    occupancy = one_hot(nodes, chains.states.shape[1]).double()
    occupancy *= (torch.arange(nodes.shape[1]) < lengths[:, None])[:, :, None]
    same = (nodes[:, 1:] == nodes[:, :-1])[:, :, None]
    return Posteriors(total, occupancy, (occupancy[:, 1:] * same).sum(1))


def later(values: Tensor, offset: int) -> Tensor:
    """(batch, nodes) moved to the nodes `offset` further."""
    return values if offset == 0 else torch.nn.functional.pad(values, (offset, 0), value=-math.inf)[:, : values.shape[1]]


def earlier(values: Tensor, offset: int) -> Tensor:
    """(batch, nodes) moved to the nodes `offset` before."""
    return values if offset == 0 else torch.nn.functional.pad(values, (0, offset), value=-math.inf)[:, -values.shape[1] :]
