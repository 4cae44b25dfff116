"""What is added to ministack's IAM, and corrected."""
