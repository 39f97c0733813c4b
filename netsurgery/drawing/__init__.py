"""Pictures of a net as a graph: laid out by Graphviz, or in a page of its own."""
