"""From the graph to instructions: selection, slots of the stack, registers."""
