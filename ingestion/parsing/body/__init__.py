"""Opening of bodies: decompression, decoding, and what kind of file they are."""
