"""The snapshot store: typed JSON and tensors, in folders that are whole or not there at all."""
