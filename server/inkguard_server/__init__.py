"""The sidecar: inkguard behind gRPC, with metrics, health and a decision log."""
