"""``docker`` before the real one: ECR's names lead to the sandbox's registry."""
