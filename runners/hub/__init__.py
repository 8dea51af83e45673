"""Weights from the Hugging Face hub: what of them is on this machine, and how they get there. Only ``fetch`` uses the network.

cache         finds a model in the hub's own cache without asking anybody
downloadable  whether a model may be fetched, and how much that is; asks nobody either
fetch         a model fetched into the cache, in a child
blob          one large file of it, taken up where it was left
faults        what went wrong on the way, in our words
queue         downloads that people started, one after another
pace          how far one is, and how long it will take
kept          what lies on the disk, and how it is removed
"""
