"""ECS: services whose tasks are real, their rollouts, history and roles."""
