"""Where learning rules come to rest: machines small enough to be listed state by state."""
