-- no transaction
CREATE UNIQUE INDEX CONCURRENTLY titles ON albums (lower(title));
