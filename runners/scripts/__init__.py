"""What ``runners.scripted`` says: the scripts that ship with Earshot, and how one is read."""
