"""The package `sagemaker.core` of SageMaker 3, as far as experiments go."""
