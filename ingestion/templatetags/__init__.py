"""Template filters of previews."""
