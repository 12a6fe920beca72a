"""Makes learning.webp, the README's moving picture: what an RBM of handwritten digits has learnt, from its first updates on.

    python docs/images/make_moving_picture.py          # about a minute of one core; MNIST as `hm.data.mnist.load` finds it

Left, the weights of 64 of 256 hidden units; right, 64 of the persistent chains that learning runs beside the data. Frames are closer
together at the start. Seed 0; the picture is the same on the same machine.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

import harmonium as hm

SIDE, TILES, GAP, SCALE = 28, 8, 1, 1.5
BATCH, CHAINS, EPOCHS = 100, 100, 20
SHOWN = {int(update) for update in np.geomspace(2, EPOCHS * 60000 // BATCH, 36)}
INK, PAPER, GREY = (31, 41, 51), (255, 255, 255), (102, 113, 124)


def grid(tiles: np.ndarray) -> Image.Image:
    """(64, 28, 28) in 0 to 255, as one picture."""
    size = TILES * (SIDE + GAP) - GAP
    sheet = np.full((size, size), 255, dtype=np.uint8)
    for number, tile in enumerate(tiles):
        top, left = (SIDE + GAP) * (number // TILES), (SIDE + GAP) * (number % TILES)
        sheet[top : top + SIDE, left : left + SIDE] = tile
    return Image.fromarray(sheet).resize((int(size * SCALE),) * 2, Image.Resampling.BICUBIC)


def frame(rbm: hm.RBM, chains: torch.Tensor, updates: int) -> Image.Image:
    """Filters, each scaled by its own largest weight, beside what the chains believe the pixels to be."""
    weights = rbm.coupling.weight.detach().T[: TILES**2].reshape(-1, SIDE, SIDE).numpy()
    peak = np.maximum(np.abs(weights).max(axis=(1, 2), keepdims=True), 0.05)
    means = rbm.visible_mean(rbm.hidden_mean(chains[: TILES**2])).detach().reshape(-1, SIDE, SIDE).numpy()
    left, right = grid(np.uint8(127.5 + 127.5 * weights / peak)), grid(np.uint8(255 * (1 - means)))
    margin, head = 12, 34
    sheet = Image.new("RGB", (left.width * 2 + 3 * margin, left.height + head + margin), PAPER)
    sheet.paste(left, (margin, head))
    sheet.paste(right, (left.width + 2 * margin, head))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    draw.text((margin, 8), "weights of 64 hidden units", INK, font)
    draw.text((left.width + 2 * margin, 8), "what the model believes in", INK, font)
    draw.text((sheet.width - margin, 8), f"{updates:,} updates", GREY, font, anchor="ra")
    return sheet


class Camera(hm.Callback):
    """Takes a picture after each update of `SHOWN`."""

    def __init__(self) -> None:
        self.frames: list[Image.Image] = []

    def on_step(self, state: hm.TrainingState) -> None:
        if state.step in SHOWN:
            assert state.chains is not None
            self.frames.append(frame(state.model, state.chains.float(), state.step))


def main() -> None:
    """Learns, looks on the way, and writes the picture."""
    path = Path(__file__).with_name("learning.webp")
    torch.set_num_threads(1)
    images = hm.data.binarise(hm.data.mnist.load().train_images, "fixed", seed=0)
    rbm = hm.RBM(hm.Bernoulli(SIDE**2), hm.Bernoulli(256))
    sgd, camera = partial(hm.MomentumSGD, lr=0.1, momentum=0.0), Camera()
    settings = {"gradient": "centred", "optimizer": sgd, "batch_size": BATCH, "epochs": EPOCHS, "seed": 0, "progress": False}
    state = hm.fit(rbm, images, negative=hm.PersistentCD(chains=CHAINS), callbacks=[camera], **settings)
    frames = camera.frames
    waits = [180] * (len(frames) - 1) + [3000]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=waits, loop=0, quality=45, method=6)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, {len(frames)} frames, {state.step} updates")


if __name__ == "__main__":
    main()
