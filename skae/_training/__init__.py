"""The training loop: it takes a network, rows and settings, and finds the best parameters."""
