"""EventBridge: rules that start pipelines."""
