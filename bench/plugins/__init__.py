"""A name becomes a class: look-up, description, settings, weights, and the digest of the code."""
