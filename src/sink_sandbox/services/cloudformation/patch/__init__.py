"""What is added to ministack's CloudFormation, and corrected."""
