"""Critics that ship with the project; each is an entry point of `guardrails.critics`."""
