"""Plain torch.nn modules made from trained layers."""

from harmonium.nets.autoencoder import Autoencoder, autoencoder
from harmonium.nets.classifier import classifier, feed_forward
from harmonium.nets.dropout import Dropout
from harmonium.nets.reconstruction import ReconstructionLoss
from harmonium.nets.visible import Visible

__all__ = ["Autoencoder", "Dropout", "ReconstructionLoss", "Visible", "autoencoder", "classifier", "feed_forward"]
