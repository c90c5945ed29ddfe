"""One file a migration, numbered; see `vpbx.db.migrate`."""
