/**
 * effectpg: the PostgreSQL client for Effect.
 *
 * @since 0.1.0
 */
export * as PgClient from "./PgClient.ts"
export * as PgConfig from "./PgConfig.ts"
export * as PgConnection from "./PgConnection.ts"
export * as PgCopy from "./PgCopy.ts"
export * as PgCursor from "./PgCursor.ts"
export * as PgError from "./PgError.ts"
export * as PgLargeObject from "./PgLargeObject.ts"
export * as PgMigrator from "./PgMigrator.ts"
export * as PgNotification from "./PgNotification.ts"
export * as PgPool from "./PgPool.ts"
export * as PgSql from "./PgSql.ts"
export * as PgSqlClient from "./PgSqlClient.ts"
export * as PgStatement from "./PgStatement.ts"
export * as PgTransaction from "./PgTransaction.ts"
export * as PgTypes from "./PgTypes.ts"
