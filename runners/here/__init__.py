"""Whether a system can run on this machine now, and where. Imports nothing heavy, and only ``hub_fetch`` reaches the network.

availability  available, after a download, or skipped with the reason and the fix
packages      what is installed
hub           the hub's cache: what is in it of a model
hub_fetch     a model fetched into it (hub_blob: one large file, taken up where it was left; hub_faults: errors in our words)
downloadable  whether a model may be fetched, and how much that is
download_queue  downloads that a person started; pace says how far they are
kept          what lies on the disk, and removing it
weights       what a folder holds, read off its heads
need          how much memory a system takes
places        which device has room, at which precision
machine       devices, cores, memory
control_groups  what a container grants of them
memory        what a process holds of them
"""
