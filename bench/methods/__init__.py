"""What solvers get and share: the Problem, and the mathematics that several of them use."""
