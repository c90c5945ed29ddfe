"""What is told of a call: its chapters, their recordings."""
