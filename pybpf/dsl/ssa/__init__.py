"""The graph in SSA form, how it is built, and the passes that improve it; it knows neither Python nor registers."""
