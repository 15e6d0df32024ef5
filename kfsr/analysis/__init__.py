"""What is measured in a picture before anything is learned from it."""
