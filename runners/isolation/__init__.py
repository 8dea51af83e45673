"""What ``runners.pool``, ``process`` and ``worker`` are made of: what keeps runners apart, in turn, and warm.

turns      a fair queue for the device
warm       models that stay loaded, and which of them goes first
spawner    how a child is started, and with what environment
wire       what parent and child say to each other
child_log  the last lines of what a child printed
death      a child ends with its parent, and why it ended
"""
