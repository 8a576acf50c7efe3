"""The results for random fleets, compared with an independent, naive definition of each of them."""
