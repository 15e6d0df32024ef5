"""Learned and structural priors: patch models, diffusion, networks that stand for a picture or a kernel."""
