"""What lets the simulation end: states to compare with, and what of them matters."""
