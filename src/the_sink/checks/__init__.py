"""What is wrong with an app's files: each module holds one subject against what AWS and the platform ask."""
