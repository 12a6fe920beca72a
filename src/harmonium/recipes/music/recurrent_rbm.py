"""An RBM whose biases a recurrent net gives at each step: the RNN-RBM."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harmonium.couplings import Conditional, Dense
from harmonium.models import RBM
from harmonium.nets import Dropout
from harmonium.seeds import derive
from harmonium.units import Bernoulli, Given


class RecurrentRBM(nn.Module):
    """p(v_1, ..., v_T) = Π p(v_t | u_{t-1}): an RBM of each frame, conditional on the state of a recurrent net that has seen those before.

    Parameters
    ----------
    notes : int
        Visible units of a frame.
    hidden : int
        Hidden units of the RBM.
    recurrent : int
        Units of the recurrent net.
    steps : int
        Of Gibbs sampling, in learning.
    seed : int
        Of the weights.

    Attributes
    ----------
    rnn : torch.nn.RNN
        u_t = tanh(W v_t + U u_{t-1} + c), with u_0 = 0.
    rbm : RBM
        Its `Conditional` coupling makes the biases b + u A and c + u B of the context u.

    Notes
    -----
    Boulanger-Lewandowski, Bengio & Vincent (2012). `forward` is what `hm.fine_tune` learns by: for frames (cases, time · notes) the
    difference of free energies F(v_t) - F(v̄_t) at each step, (cases, time), with v̄_t from `steps` sweeps of Gibbs sampling from v_t. Its
    gradient is that of contrastive divergence, and goes through the biases into the recurrent net.

    Examples
    --------
    >>> import torch
    >>> from harmonium.recipes.music.recurrent_rbm import RecurrentRBM
    >>> net = RecurrentRBM(notes=3, hidden=2, recurrent=4, seed=0)
    >>> net.contexts(torch.ones(5, 7, 3)).shape, net(torch.ones(5, 21)).shape
    (torch.Size([5, 7, 4]), torch.Size([5, 7]))
    """

    def __init__(self, notes: int, hidden: int, recurrent: int, *, steps: int = 5, seed: int = 0) -> None:
        super().__init__()
        self.steps = steps
        self.rnn = nn.RNN(notes, recurrent, batch_first=True, device="meta").to_empty(device="cpu")  # no draw from the global generator
        self.rbm = RBM(Bernoulli(notes), Bernoulli(hidden), Conditional(Dense(notes, hidden, seed=seed), recurrent))
        self.draws = Dropout(0.0)  # drops nothing: it holds the generator that hm.fine_tune sets and keeps with its checkpoints
        generator = torch.Generator().manual_seed(derive(seed, 0))
        with torch.no_grad():
            for parameter in [
                *self.rnn.parameters(),
                *(self.rbm.coupling.get_parameter(f"dynamic.{side}") for side in ("visible", "hidden")),
            ]:
                parameter.uniform_(-1 / math.sqrt(recurrent), 1 / math.sqrt(recurrent), generator=generator)

    def contexts(self, frames: Tensor) -> Tensor:
        """The state of the recurrent net before each frame: (cases, time, recurrent) of (cases, time, notes)."""
        states, _ = self.rnn(frames)
        return torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], dim=1)

    def forward(self, flat: Tensor) -> Tensor:
        notes = self.rbm.visible.shape[0]
        v = flat.reshape(len(flat), -1, notes)
        given = Given(context=self.contexts(v))
        with torch.no_grad():
            drawn = self.rbm.gibbs(v, steps=self.steps, generator=self.draws.generator, given=Given(context=given.context.detach()))  # type: ignore[union-attr]
        difference: Tensor = self.rbm.free_energy(v, given) - self.rbm.free_energy(drawn, given)
        return difference

    @torch.no_grad()
    def continued(self, piece: Tensor, frames: int, *, sweeps: int, generator: torch.Generator) -> Tensor:
        """The frames that follow a piece (time, notes), each the end of a Gibbs chain from the one before it: (frames, notes)."""
        _, state = self.rnn(piece[None])
        v, made = piece[-1:], []
        for _ in range(frames):
            v = self.rbm.gibbs(v, steps=sweeps, generator=generator, given=Given(context=state[0]))
            _, state = self.rnn(v[None], state)
            made.append(v[0])
        return torch.stack(made)


def chunks(pieces: Sequence[Tensor], length: int) -> tuple[Tensor, Tensor]:
    """Pieces cut into cases of one length; the last of a piece is filled up with silence.

    Returns
    -------
    frames : Tensor
        (cases, length · notes).
    weights : Tensor
        (cases, length): 1 where a frame is music, 0 where it was filled up; divided by their mean.
    """
    cut = [part for piece in pieces for part in torch.split(piece.float(), length)]
    frames = nn.utils.rnn.pad_sequence(cut, batch_first=True)
    weights = nn.utils.rnn.pad_sequence([torch.ones(len(part)) for part in cut], batch_first=True)
    return frames.flatten(1), weights / weights.mean()


def mean_difference(differences: Tensor, weights: Tensor) -> Tensor:
    """The loss of `hm.fine_tune`: the mean over the frames that are music."""
    return (differences * weights).mean()
