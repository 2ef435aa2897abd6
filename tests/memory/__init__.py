"""Backends that live in memory: for tests of handlers, and the first to pass each contract suite."""
