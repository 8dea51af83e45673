"""How far a rate can be trusted, whether two contenders differ, and several clips as one."""
