"""Plain torch.nn modules made from trained layers."""

from harmonium.nets.autoencoder import Autoencoder, autoencoder
from harmonium.nets.block_pooling import BlockPooling
from harmonium.nets.classifier import classifier, feed_forward
from harmonium.nets.contrastive_loss import Distance, contrastive_loss
from harmonium.nets.dbm_net import dbm_inputs
from harmonium.nets.dropout import Dropout
from harmonium.nets.fixed_factors import FixedFactors
from harmonium.nets.gaussian_loss import gaussian_loss
from harmonium.nets.leading import Leading
from harmonium.nets.reconstruction import ReconstructionLoss
from harmonium.nets.siamese import SameOrDifferent, siamese
from harmonium.nets.unit_biases import UnitBiases
from harmonium.nets.visible import Visible

__all__ = [
    "Autoencoder",
    "BlockPooling",
    "Distance",
    "Dropout",
    "FixedFactors",
    "Leading",
    "ReconstructionLoss",
    "SameOrDifferent",
    "UnitBiases",
    "Visible",
    "autoencoder",
    "classifier",
    "contrastive_loss",
    "dbm_inputs",
    "feed_forward",
    "gaussian_loss",
    "siamese",
]
