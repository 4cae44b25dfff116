"""What is added to ministack's CodeBuild, and corrected."""
