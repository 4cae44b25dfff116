"""The resource types, a module each; they go through the emulator's own EC2."""
