"""ECR: a registry that takes real pushes, under the roles that ask."""
