"""What is added to ministack's ECR, and corrected."""
