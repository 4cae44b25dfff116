"""What is added to ministack's Elastic Load Balancing, and corrected."""
