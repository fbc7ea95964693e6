"""The models, each module the only importer of its heavy library."""
