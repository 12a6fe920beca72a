"""A deep autoencoder of MNIST, beside PCA and logistic PCA."""
