"""The forward operator of the whole project: blur by a kernel, keep every s-th sample."""
