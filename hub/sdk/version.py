"""The version of the plugin contract: major.minor, raised as the contract changes."""

SDK_VERSION = "1.0"
