"""
Scale equivariance of rectified units
=====================================

"If a ReLU has a bias of zero, it exhibits scale equivariance: R(ax) = a R(x). This is a very nice property to have for images. It is like
the equivariance to translation exhibited by convolutional nets" (G. Hinton, tutorial, IPAM 2012). An image of twice the contrast then has
features of twice the size and of the same direction, so that whatever compares features by the cosine of their angle, as Nair & Hinton
(2010) compare faces, does not see the lighting. Here the law is drawn, and what breaks it.
"""

import matplotlib.pyplot as plt
import torch

import harmonium as hm

plt.style.use("harmonium.report.figures")
torch.set_num_threads(1)  # on tensors this small more threads only wait for one another
FEATURES = 100

# %%
# One unit
# --------
#
# With no bias and no noise a rectified unit has R(ax) = a R(x) for every a > 0. Each panel shows R(ax) / a, which is then one curve. A bias
# breaks the law, as does noise of a fixed size, and the mean of the offset copies, log(1 + eˣ), obeys it only far from zero. As a grows
# all of them come to the rectified line: each unit is close to equivariant for inputs that are large beside its bias and its noise.

x = torch.linspace(-3, 3, 121)


def kinds(units: int) -> dict[str, hm.Unit]:
    """Layers of rectified units: the one that obeys the law, and three that do not."""
    biased = hm.NoisyReLU(units, noise="none")
    with torch.no_grad():
        biased.bias.fill_(1.0)
    noisy = hm.NoisyReLU(units, noise="unit")
    return {
        "rectified, no bias": hm.NoisyReLU(units, noise="none"),
        "rectified, bias 1": biased,
        "noise of variance 1": noisy,
        "offset copies": hm.SteppedSigmoid(units),
    }


departure = {}
figure, axes = plt.subplots(1, 4, figsize=(9, 2.7), num="scale_equivariance", sharey=True)
for axis, (name, unit) in zip(axes, kinds(121).items(), strict=True):
    base = unit.mean(x).detach()
    departure[name] = 0.0
    for number, scale in enumerate((1, 2, 8)):
        scaled = unit.mean(scale * x).detach() / scale
        departure[name] = max(departure[name], (scaled - base).abs().max().item())
        axis.plot(x, scaled, color=f"C{number}", linewidth=3.2 - 1.1 * number, label=f"a = {scale}")
    axis.set_title(name)
    axis.set_xlabel("x")
    print(f"{name}: R(ax) / a departs from R(x) by {departure[name]:.3f}")
axes[0].set_ylabel("R(ax) / a")
axes[0].legend()

# %%
# A layer of features, and the cosine
# -----------------------------------
#
# The bundled digits, through a hundred filters, the same for every kind of hidden unit. The law holds whatever the weights are, so that
# these are drawn and not learnt. Left: the cosine between the features of an image at a times its intensity and those of the image
# itself. Right: what that does to a comparison, the cosine between two *different* digits of which only the first is scaled. With no bias
# and no noise neither moves at all, from a 16th of the contrast to 16 times: 1 and 0.731. With a bias of 1 the features of an image at a
# 16th of its contrast are nearly those of no image at all, and have a cosine of 0.79 with its own; noise drowns them (0.34); the mean of
# the offset copies, log(1 + eˣ), is at log 2 where there is nothing to see (0.83). Binary units keep no size at all: at a small they all
# stand near 1/2, at a large at 0 or 1.

digits = hm.data.digits.load()
images = digits.test_images.float() / 255
pairs, others = images[:150], images[150:]
generator = torch.Generator().manual_seed(0)
filters = 0.3 * torch.randn(64, FEATURES, generator=generator)
layers = {**kinds(FEATURES), "binary": hm.Bernoulli(FEATURES)}
scales = torch.logspace(-4, 4, 33, base=2)
same, different = {}, {}
for name, hidden in layers.items():
    rbm = hm.RBM(hm.Gaussian(64, learn_variance=False), hidden)
    with torch.no_grad():
        rbm.coupling.weight.copy_(filters)
        reference, other = rbm.hidden_mean(pairs), rbm.hidden_mean(others)
        if name == "noise of variance 1":  # a draw of the features, as they would be compared
            reference, other = (rbm.sample_hidden(each, generator=generator) for each in (pairs, others))
        look = rbm.hidden_mean if name != "noise of variance 1" else lambda v, rbm=rbm: rbm.sample_hidden(v, generator=generator)
        scaled = [look(a * pairs) for a in scales]
    same[name] = torch.stack([torch.cosine_similarity(each, reference).mean() for each in scaled])
    different[name] = torch.stack([torch.cosine_similarity(each, other).mean() for each in scaled])
    low, high = different[name].min(), different[name].max()
    print(
        f"{name}: cosine with itself at a 16th of the contrast {same[name][0]:.3f}, at 16 times {same[name][-1]:.3f}; "
        f"with another digit from {low:.3f} to {high:.3f}"
    )

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), num="cosine_of_scaled_features", sharey=True)
for number, name in enumerate(layers):
    left.semilogx(scales, same[name], color=f"C{number}", label=name, base=2)
    right.semilogx(scales, different[name], color=f"C{number}", base=2)
left.set_title("the same image at a times its intensity")
right.set_title("another digit's image, not scaled")
left.set_ylabel("mean cosine of the features")
left.set_ylim(0, 1.04)
left.legend(loc="lower right")
for axis in (left, right):
    axis.set_xlabel("intensity a")

# %%
# What would falsify it
# ---------------------
#
# Rectified units without bias and noise whose R(ax) / a differs from R(x), or whose cosines move with a, by more than rounding. And the
# other way round: a kind that this page says breaks the law, and whose cosines stay where they were.

plt.show()
