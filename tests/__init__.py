"""Tests; a package so that they can share ``tests.problems`` and the like."""
