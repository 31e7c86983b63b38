"""The page at `/`, in a real headless Chromium."""
