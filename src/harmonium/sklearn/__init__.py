"""Estimators for scikit-learn's pipelines, searches and scorers, over the library's own functions."""

from harmonium.sklearn.autoencoder_transformer import AutoencoderTransformer
from harmonium.sklearn.density_estimator import RBMDensity
from harmonium.sklearn.imputer import RBMImputer
from harmonium.sklearn.predictors import DBNClassifier, DBNRegressor
from harmonium.sklearn.stack_transformer import DBNTransformer
from harmonium.sklearn.transformer import RBMTransformer

__all__ = ["AutoencoderTransformer", "DBNClassifier", "DBNRegressor", "DBNTransformer", "RBMDensity", "RBMImputer", "RBMTransformer"]
