"""Steps that several recipes take."""
