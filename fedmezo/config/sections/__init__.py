"""The keys of the configuration, one file a section."""
