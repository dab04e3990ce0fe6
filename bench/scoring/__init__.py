"""An estimate becomes numbers: metrics of one estimate, and of posterior samples."""
