/* schema: the migrations of schema/sqlite, embedded by CMake; the n-th leads from version n to n + 1. */
#ifndef POOLD_STORE_SQLITE_SCHEMA_H
#define POOLD_STORE_SQLITE_SCHEMA_H

extern const char *const schema_migrations[];
extern const int schema_version;

#endif
