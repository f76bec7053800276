"""What one trial is: recipe, data, models and the training step, in plain PyTorch."""
