"""What the plug-ins of this package share."""

HALF = 0.5
