"""From the AST of a function to a graph: one module for each kind of construct, all working through `compiler.Compiler`."""
