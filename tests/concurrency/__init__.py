"""Two requests, tasks or people that change the same thing at the same time."""
