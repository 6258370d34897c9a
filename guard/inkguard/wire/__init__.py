"""The wire: the messages of the gRPC API, and the records that they carry."""
