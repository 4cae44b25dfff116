"""What is added to ministack's ECS, and corrected."""
