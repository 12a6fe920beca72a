"""Other libraries of RBMs, each run as its own documentation runs it: see `rbm_step` for what each line means.

A library is imported only when it is made ready, so that none has to be there.
"""

from __future__ import annotations

import io
import tempfile
import time
from contextlib import redirect_stderr
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ours import HIDDEN, Contender


@lru_cache(maxsize=2)  # the whole set and the few rows of the warm-up, the same for all rounds
def grey(images: Tensor) -> Tensor:
    """Pixels in [0, 1]: (cases, 784) float32."""
    return images.float().div_(255)


def scikit_learn(batch: int) -> Contender:
    """`BernoulliRBM.fit` for one epoch; its set-up, two hundredths of a second, is in the time."""
    from sklearn.neural_network import BernoulliRBM

    def measure(images: Tensor) -> float:
        pixels = grey(images).numpy()
        rbm = BernoulliRBM(n_components=HIDDEN, batch_size=batch, n_iter=1, random_state=0)
        began = time.perf_counter()
        rbm.fit(pixels)
        return 1e3 * (time.perf_counter() - began) / -(-len(pixels) // batch)

    return Contender("scikit-learn: BernoulliRBM.fit", measure, peer=True)


def rbms(batch: int) -> Contender:
    """What `rbms train --training_type cd --gibbs_steps 1` does once its data are loaded, by the time that it records itself."""
    import h5py
    from rbms.dataset.dataset_class import RBMDataset
    from rbms.map_model import map_model
    from rbms.parser import match_args_dtype
    from rbms.scripts.train_rbm import create_parser
    from rbms.training.pcd import train
    from rbms.training.utils import get_checkpoints

    @lru_cache(maxsize=2)
    def dataset(images: Tensor) -> RBMDataset:
        cases = len(images)
        binary = (images.numpy() > 127).astype(np.float32)  # its loader takes nothing but 0 and 1
        return RBMDataset(binary, -np.ones(cases), np.ones(cases), np.arange(cases), "images", is_binary=True, device="cpu")

    def measure(images: Tensor) -> float:
        updates = -(-len(images) // batch)
        with tempfile.TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):  # its progress bar
            archive = Path(folder, "rbm.h5")
            command = f"-d images.h5 --train_size 1 --num_hiddens {HIDDEN} --batch_size {batch} --num_chains {batch} --training_type cd"
            command += f" --gibbs_steps 1 --num_updates {updates} --seed 0 --device cpu --filename"
            args = match_args_dtype(vars(create_parser().parse_args([*command.split(), str(archive)])))
            checkpoints = get_checkpoints(num_updates=updates, n_save=args["n_save"], spacing=args["spacing"])
            train(dataset(images), None, "BBRBM", args, args["dtype"], checkpoints, map_model=map_model)
            with h5py.File(archive) as file:
                seconds = float(file[f"update_{updates}"]["time"][()])
        return 1e3 * seconds / (updates - 1)  # it calls the machine that it begins with the first update

    return Contender("rbms: rbms train, CD-1", measure, peer=True)


def learnergy(batch: int) -> Contender:
    """The `RBM.fit` of its quick start for one epoch, by the time that it records itself."""
    from learnergy.models.bernoulli import RBM
    from torch.utils.data import TensorDataset

    def measure(images: Tensor) -> float:
        dataset = TensorDataset(grey(images), torch.zeros(len(images)))
        model = RBM(n_visible=images.shape[1], n_hidden=HIDDEN, learning_rate=0.1)
        model.fit(dataset, batch_size=batch, epochs=1)
        return 1e3 * model.history["time"][-1] / -(-len(images) // batch)

    return Contender("learnergy: RBM.fit", measure, peer=True)


def ebmkit(batch: int) -> Contender:
    """The loop of its example `train_rbm.py`, over as many batches as an epoch has."""
    import ebm

    def measure(images: Tensor) -> float:
        pixels, updates = grey(images), -(-len(images) // batch)
        rbm = ebm.nets.RBM(n_visible=images.shape[1], n_hidden=HIDDEN)
        optimizer = torch.optim.Adam(rbm.parameters(), lr=1e-2)
        began = time.perf_counter()
        for _ in range(updates):
            cases = pixels[torch.randint(0, len(pixels), (batch,))]
            loss = rbm(cases).mean() - rbm(rbm.gibbs_step(cases)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return 1e3 * (time.perf_counter() - began) / updates

    return Contender("ebmkit: its example's loop", measure, peer=True)


PEERS = {"scikit-learn": scikit_learn, "rbms": rbms, "learnergy": learnergy, "ebmkit": ebmkit}  # by the name of their distribution
