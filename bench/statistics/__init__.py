"""Many numbers become a statement: paired differences, intervals, ranks. In no cell's key."""
