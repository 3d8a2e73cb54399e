"""The shell of the workbench: it knows no method and never imports torch in the web process."""
