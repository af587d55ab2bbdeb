"""A self-hosted hub for omnichannel order intake."""

__version__ = "0.1.0"
