"""What the names of a program stand for: numbers, places in memory, the context, maps, and what belongs to the kernel."""
