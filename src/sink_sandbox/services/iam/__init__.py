"""IAM: requests authorized as on AWS, services under their roles, what was asked for."""
