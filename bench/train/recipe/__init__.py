"""What a training is determined by: typed recipes, from YAML."""
