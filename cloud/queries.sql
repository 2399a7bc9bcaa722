-- name: migration_lock
-- Whoever migrates holds this until its transaction ends.
SELECT pg_advisory_xact_lock(:key)

-- name: has_revision
-- Whether this database was ever migrated.
SELECT to_regclass('alembic_version') IS NOT NULL AS present

-- name: revision
-- The schema's revision.
SELECT version_num FROM alembic_version
