"""What a training is fed: images, their degradation, pairs, batches in the order of the steps."""
