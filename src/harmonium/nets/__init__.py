"""Plain torch.nn modules made from trained layers."""

from harmonium.nets.classifier import classifier, feed_forward
from harmonium.nets.dropout import Dropout
from harmonium.nets.visible import Visible

__all__ = ["Dropout", "Visible", "classifier", "feed_forward"]
