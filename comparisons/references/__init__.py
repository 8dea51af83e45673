"""Files that references come in: captions and manifests."""
