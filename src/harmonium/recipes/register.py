"""What the terminal says of each recipe before it imports any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """What the register says of a recipe.

    Attributes
    ----------
    name
        As the command line has it.
    module
        Where it is.
    kind
        Its class there.
    sentence
        What it does, in at most 60 characters.
    published
        The value published of the first headline, "" where there is none; a star says that the protocol is another than ours.
    headline
        Metrics, of which a list shows the first, and the records that have them all.
    setting
        The one whose record a list shows; by default the first that is recorded.
    least
        A metric and the value below which a record is in no list and no table: it is no record of what the recipe is about.
    """

    name: str
    module: str
    kind: str
    sentence: str
    published: str
    headline: tuple[str, ...]
    setting: str = ""
    least: tuple[str, float] | None = None

    def shows(self, metrics: Mapping[str, Any]) -> bool:
        """Whether lists and tables show a record with these metrics."""
        if self.least is None:
            return True
        name, value = self.least
        return name in metrics and min(each for each in metrics[name]["values"] if each is not None) >= value


REGISTRY = (
    Entry(
        "angle-regression",
        "harmonium.recipes.angles.recipe",
        "AngleRegression",
        "Views of toys: their directions from few labels",
        "",
        ("test_degrees_off_pretrained_1_labelled",),
    ),
    Entry(
        "cd-bias",
        "harmonium.recipes.cd_bias.recipe",
        "CdBias",
        "Fixed points of CD and PCD beside the likelihood's",
        "not 0",
        ("kl_gap_cd1_weight_cost_nats",),
    ),
    Entry(
        "cifar-filters",
        "harmonium.recipes.cifar.recipe",
        "CifarFilters",
        "Small colour photographs by rectified units",
        "64.84*",
        ("test_accuracy_percent_permutation_invariant", "localised_filters_percent"),
    ),
    Entry(
        "curves-autoencoder",
        "harmonium.recipes.curves.recipe",
        "CurvesAutoencoder",
        "Deep autoencoder of curves in six numbers, beside PCA",
        "1.44*",
        ("test_squared_error",),
        "full, bfloat16",
    ),
    Entry(
        "density",
        "harmonium.recipes.density.recipe",
        "Density",
        "RBMs on thirteen binary data sets, in nats a case",
        "-9.81*",
        ("test_nats_mushrooms",),
    ),
    Entry(
        "digits",
        "harmonium.recipes.digits.recipe",
        "Digits",
        "The demo: a deep belief net, in about a minute",
        "",
        ("test_error_percent",),
    ),
    Entry(
        "eth80",
        "harmonium.recipes.eth80.recipe",
        "Eth80",
        "Real toys by rectified and by binary features",
        "",
        ("test_error_percent_layer_2", "test_error_percent_pixels"),
    ),
    Entry(
        "face-pairs",
        "harmonium.recipes.face_pairs.recipe",
        "FacePairs",
        "Who is it? Rate-coded RBM of pairs of faces",
        "",
        ("test_error_percent_pairs", "test_error_percent_eigenfaces"),
    ),
    Entry(
        "face-verification",
        "harmonium.recipes.verification.recipe",
        "FaceVerification",
        "One person or two: siamese nets on pairs of faces",
        "80.73*",
        ("test_accuracy_percent_rectified", "test_accuracy_percent_binary"),
    ),
    Entry(
        "faces-autoencoder",
        "harmonium.recipes.faces.recipe",
        "FacesAutoencoder",
        "Deep autoencoder of faces in 30 numbers, beside PCA",
        "126*",
        ("test_squared_error",),
    ),
    Entry(
        "few-labels",
        "harmonium.recipes.few_labels.recipe",
        "FewLabels",
        "MNIST with 100 to 60,000 labels, pre-trained or not",
        "6.35*",
        ("test_error_percent_pretrained_1000", "test_error_percent_random_1000"),
    ),
    Entry(
        "implicit-mixture",
        "harmonium.recipes.implicit_mixture.recipe",
        "ImplicitMixture",
        "Digits in clusters: a mixture of RBMs beside k-means",
        "",
        ("test_purity_percent", "test_purity_percent_k_means"),
        "full, bfloat16",
    ),
    Entry(
        "layer-size",
        "harmonium.recipes.layer_size.recipe",
        "LayerSize",
        "MNIST by deep belief nets of several shapes",
        "",
        ("test_error_percent_500_500_2000", "test_error_percent_2000_500_500"),
    ),
    Entry(
        "mnist-autoencoder",
        "harmonium.recipes.autoencoder.recipe",
        "MnistAutoencoder",
        "Deep autoencoder of digits in 30 numbers, beside PCA",
        "3.00",
        ("test_squared_error",),
        "full, bfloat16",
    ),
    Entry(
        "mnist-conv",
        "harmonium.recipes.conv.recipe",
        "MnistConv",
        "Convolutional nets of digits, pre-trained and not",
        "0.60*",
        ("test_error_percent_pretrained", "test_error_percent_random"),
    ),
    Entry(
        "mnist-dbm",
        "harmonium.recipes.dbm.recipe",
        "MnistDbm",
        "Deep Boltzmann machine 784-500-1000: its bound",
        "-84.62",
        ("test_bound_nats", "ablation_nats", "test_error_percent", "test_dropout_error_percent"),
        least=("ablation_nats", 1.0),
    ),
    Entry(
        "mnist-dbn",
        "harmonium.recipes.dbn.recipe",
        "MnistDbn",
        "Deep belief net of digits, then backpropagation",
        "1.2",
        ("test_error_percent",),
    ),
    Entry(
        "mnist-dbn-bound",
        "harmonium.recipes.dbn_bound.recipe",
        "MnistDbnBound",
        "Variational bound of a deep belief net 784-500-2000",
        "-85.97*",
        ("test_bound_nats",),
    ),
    Entry(
        "mnist-denoise",
        "harmonium.recipes.denoise.recipe",
        "MnistDenoise",
        "Digits under structured noise, with top-down effects",
        "",
        ("test_gate_error_percent_block",),
    ),
    Entry(
        "mnist-exact",
        "harmonium.recipes.exact.recipe",
        "MnistExact",
        "Learning rules and centring, log Z exact",
        "-150.11*",
        ("test_nats_pcd_20_hidden",),
    ),
    Entry(
        "mnist-joint",
        "harmonium.recipes.joint.recipe",
        "MnistJoint",
        "Digits and labels in one net, tuned by wake-sleep",
        "1.25",
        ("test_error_percent",),
    ),
    Entry(
        "mnist-rbm",
        "harmonium.recipes.rbm.recipe",
        "MnistRbm",
        "RBM of 500 hidden units on digits: its likelihood",
        "-86.34",
        ("test_nats_fixed_stochastic",),
        "full, learnt from fixed pixels",
    ),
    Entry(
        "mnist-variations",
        "harmonium.recipes.variations.recipe",
        "MnistVariations",
        "Eight sets of many factors: DBNs beside an SVM",
        "10.30*",
        ("test_error_percent_dbn3_rot",),
    ),
    Entry(
        "norb-reduced",
        "harmonium.recipes.norb_reduced.recipe",
        "NorbReduced",
        "Toys, from pixels and two layers of rectified units",
        "10.2*",
        ("test_error_percent_layer_2",),
    ),
    Entry(
        "patches",
        "harmonium.recipes.patches.recipe",
        "Patches",
        "Patches of photographs: RBMs beside mixtures",
        "",
        ("test_nats_gaussian_binary", "test_nats_rectified", "test_nats_mfa"),
    ),
    Entry(
        "pretraining-depth",
        "harmonium.recipes.pretraining_depth.recipe",
        "PretrainingDepth",
        "Sigmoid nets of 1 to 5 layers, pre-trained or not",
        "1.41*",
        ("test_error_percent_median_pretrained_depth_1",),
    ),
    Entry(
        "pretraining-effect",
        "harmonium.recipes.pretraining_effect.recipe",
        "PretrainingEffect",
        "A hundred nets with pre-training, a hundred without",
        "1.37*",
        ("test_error_percent_median_pretrained_depth_2",),
    ),
    Entry(
        "pretraining-trajectories",
        "harmonium.recipes.pretraining_trajectories.recipe",
        "PretrainingTrajectories",
        "Pre-trained nets and others in function space",
        "0*",
        ("share_beside_other_kind",),
    ),
    Entry(
        "pretraining-why",
        "harmonium.recipes.pretraining_why.recipe",
        "PretrainingWhy",
        "Does pre-training help: labels of causes, of pixels",
        "",
        ("test_error_percent_pretrained_parity_of_3_bars_depth_2",),
    ),
    Entry(
        "topics",
        "harmonium.recipes.topics.recipe",
        "Topics",
        "Documents: replicated softmax beside LDA and LSA",
        "12.6*",
        ("percent_below_lda_50_20news", "perplexity_20news", "percent_below_lda_50_nips"),
    ),
)
