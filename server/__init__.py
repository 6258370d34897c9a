"""The gRPC sidecar (see CHANGELOG: arrives with its own release)."""
