"""One module a tab: user interface only."""
