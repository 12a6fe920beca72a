"""The first five minutes: a deep belief net of scikit-learn's digits."""
