"""Scorers: models that give a text numbers. They annotate and never drop; see :mod:`base` for what one is."""
