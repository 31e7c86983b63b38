"""What fits on a GPU: the catalogue, the VRAM and KV-cache arithmetic, the engine flags that follow."""
