"""What ``runners.pool``, ``process`` and ``worker`` are made of: what keeps runners apart, in turn, and warm.

attempts   one run or one turn of a conversation: what it tells, and what becomes of it
turns      a fair queue for the device
warm       models that stay loaded, and which of them goes first
budget     how much memory they may hold, and who makes room
host       loads a runner and times it, wherever it lives
limits     how long a step may take, and what is said when it took longer
failures   whatever a runner raised, in a sentence that a card can show
lent_gpu   ZeroGPU: a whole job in one call
spawner    how a child is started, and with what environment
wire       what parent and child say to each other
child_log  the last lines of what a child printed
death      a child ends with its parent, and why it ended
"""
