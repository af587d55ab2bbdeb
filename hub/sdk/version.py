"""The version of the plugin contract: major.minor, raised as the contract changes.

1.0  forms and tracking
1.1  pulled channels, replies, files, receipts; changes, documents, transfers and notices of carriers
1.2  fingerprints of what a carrier told, numbers that are unchanged since; the carrier's own page of a parcel
"""

SDK_VERSION = "1.2"
