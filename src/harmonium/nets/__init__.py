"""Plain torch.nn modules unrolled from trained layers."""

from harmonium.nets.classifier import classifier
from harmonium.nets.dropout import Dropout

__all__ = ["Dropout", "classifier"]
