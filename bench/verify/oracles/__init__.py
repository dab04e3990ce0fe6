"""Priors whose posterior is known in closed form: the only places where a posterior sampler can be marked."""
