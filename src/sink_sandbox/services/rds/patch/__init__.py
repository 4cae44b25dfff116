"""What is added to ministack's RDS, and corrected."""
