"""Plug-ins for deblur-bench."""
