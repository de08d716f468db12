/** A request whose results are kept, and the layers that keep them in tables. */
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Persistable from "effect/persistence/Persistable"
import * as Persistence from "effect/persistence/Persistence"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"

export const Measured = Schema.Struct({ degrees: Schema.Number, at: Schema.DateFromString })
export const Unknown = Schema.Literal("unknown city")

export class Weather extends Persistable.Class<{ payload: { city: string } }>()("Weather", {
  primaryKey: ({ city }) => city,
  success: Measured,
  error: Unknown
}) {}

export const AT = new Date("2024-03-10T20:45:01.250Z")
export const failed = Exit.fail("unknown city" as const)
export const mild = Exit.succeed({ degrees: 20.5, at: AT })

export const layers: ReadonlyArray<
  readonly [
    name: string,
    Layer.Layer<Persistence.Persistence, never, SqlClient.SqlClient>,
    table: (id: string) => string
  ]
> = [
  ["Persistence.layerSql", Persistence.layerSql, () => "effect_persistence"],
  ["Persistence.layerSqlMultiTable", Persistence.layerSqlMultiTable, (id) => `effect_persistence_${id}`]
]
