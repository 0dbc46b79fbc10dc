"""The networks: the linear anchor, the perceptrons that correct it, and the autoencoder they make."""
