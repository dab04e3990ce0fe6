"""The kinds of training: a prior, a conditional model, a restorer."""
