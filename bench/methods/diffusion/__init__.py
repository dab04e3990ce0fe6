"""What diffusion samplers and their training share."""
