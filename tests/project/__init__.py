"""The project itself: its structure, statements, commands and documentation, and what its tests are built on."""
