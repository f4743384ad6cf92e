"""The parts of benches/compare/run. Standard library only."""
