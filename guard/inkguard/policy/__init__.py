"""The policy language: word lists, rules and replacements, read from YAML."""
