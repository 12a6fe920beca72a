"""How wide the layers of a deep belief net should be."""
