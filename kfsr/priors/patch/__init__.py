"""The patch model: a denoiser trained on the patches of one picture, the prior of every stage."""
