"""Many pictures: inputs, plan, record of what is finished, and the processes that do the work."""
