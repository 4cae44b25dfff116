"""CloudFormation: templates checked as AWS does, stacks that nest, roll back and refuse as AWS's do."""
