"""A deep autoencoder of curves, which six numbers describe exactly."""
