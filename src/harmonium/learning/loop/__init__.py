"""What every kind of training shares: the step, the state, the loop over epochs, and what it shows."""
