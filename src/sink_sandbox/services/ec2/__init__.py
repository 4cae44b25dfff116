"""EC2: resource types that the emulator's CloudFormation lacks."""
