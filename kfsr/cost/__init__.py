"""What a run takes: seconds and memory."""
