"""The autoencoder: a linear path, the networks that correct it, its codes and losses, and how it is fitted."""
