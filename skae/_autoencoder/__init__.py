"""The autoencoder: its linear path, the networks that correct it, codes, losses, and how it is fitted."""
