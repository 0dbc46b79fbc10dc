"""The training loop: a network, rows and settings in; the best parameters out."""
