"""Conformance: what every plug-in must keep, built-in or not. Call these from your own tests.

    from bench.testing import check_solver

    def test_my_solver_conforms():
        check_solver("./mine.py")

Each check raises AssertionError with a sentence that says what was broken.
"""

from bench.verify.contract_checks import check_dataset, check_noise, check_operator, check_solver
from bench.verify.metric_checks import check_metric
from bench.verify.prior_checks import check_prior

__all__ = ["check_dataset", "check_metric", "check_noise", "check_operator", "check_prior", "check_solver"]
