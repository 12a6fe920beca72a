"""Steps that several recipes take, as functions and as the dataclasses of what can be chosen about them."""
