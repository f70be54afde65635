"""Settings of the tests that make up their inputs."""

from hypothesis import settings

# A busy machine is slow now and then; how long one example takes says nothing about the code.
settings.register_profile("kobza", deadline=None)
settings.load_profile("kobza")
