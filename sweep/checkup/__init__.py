"""What ``python -m sweep.doctor`` looks at on a machine: a file a topic, a function a check."""
