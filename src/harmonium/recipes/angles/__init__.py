"""The azimuth of toys from few labels: features learnt without labels, against random weights."""
