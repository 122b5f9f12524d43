"""Each instruction compiled once to a step, a function that changes a state."""
