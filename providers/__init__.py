"""Wire dialects, presets, catalogue and resilience: bytes from a server become normalised events."""
