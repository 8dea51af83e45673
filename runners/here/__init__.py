"""Whether a system can run on this machine now, and where. Imports nothing heavy, and asks nobody.

availability  available, after a download, or skipped with the reason and the fix
reasons       those that are skipped, by why
packages      what is installed
weights       what a folder holds, read off its heads
need          how much memory a system takes
places        which device has room, at which precision
ways          the other precisions and devices that may be asked for
machine       devices, cores, memory
control_groups  what a container grants of them
memory        what a process holds of them
"""
