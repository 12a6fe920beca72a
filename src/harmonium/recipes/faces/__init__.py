"""A deep autoencoder of faces."""
