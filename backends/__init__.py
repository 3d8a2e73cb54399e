"""One package a published method, and ``common`` for what they share. Nothing here imports gradio."""
