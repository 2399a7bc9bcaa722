-- The messages that their sources numbered and that are stored.
SELECT source, key FROM reading_keys
