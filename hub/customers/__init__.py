"""Cards of those who ask: persons and organisations, probable doubles, merging and its undoing."""
