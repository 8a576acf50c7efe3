"""Storage units as readings see them: references, condition, scales, formatting."""
