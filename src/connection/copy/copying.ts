/** Checks the arguments of a COPY, and decides where it runs. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Shape from "../../call/shape.ts"
import { Template } from "../../call/template.ts"
import { withTimeout } from "../../call/timeout.ts"
import type * as PgCopy from "../../PgCopy.ts"
import type * as PgError from "../../PgError.ts"
import type { TransactionLevel } from "../../session/transaction/transactionLevel.ts"
import type { Router } from "../router.ts"
import { withSource, withTable } from "./copyStatement.ts"

/** Copies in, on the level of the fiber or on a session that the router lends. */
export const copyingIn = <Options extends PgCopy.Observed, E, R>(
  router: Router,
  operation: string,
  [table, fault, options]: readonly [PgCopy.Table, Shape.Fault | undefined, Options | undefined],
  kinds: Shape.Kinds,
  copy: (
    level: TransactionLevel,
    into: PgCopy.Table,
    known: Partial<Options>
  ) => Effect.Effect<PgCopy.Result, E | PgError.PgError, R>
): Effect.Effect<PgCopy.Result, E | PgError.PgError, R> =>
  withTable(table, (into) =>
    Shape.unless(fault, () =>
      Shape.withOptions(options, kinds, (known) => {
        const copied = router.onLevel((level) => copy(level, into, known ?? {}))
        return withTimeout(operation, undefined, copied, known?.timeout)
      })
    )
  )

/** Copies out where the calls run that read. */
export const copyingOut = <Options extends PgCopy.Observed, A>(
  router: Router,
  source: PgCopy.Source,
  options: Options | undefined,
  kinds: Shape.Kinds,
  copy: (router: Router, from: PgCopy.Source, known: Partial<Options>) => Stream.Stream<A, PgError.PgError>
): Stream.Stream<A, PgError.PgError> =>
  Stream.unwrap(
    withSource(source, (from) =>
      Shape.withOptions(options, kinds, (known) =>
        router.reading({ texts: textsOf(from), readOnly: undefined }, (chosen) =>
          Effect.succeed(copy(chosen, from, known ?? {}))
        )
      )
    )
  )

const textsOf = (source: PgCopy.Source): ReadonlyArray<string> => {
  if (!("query" in source)) return []
  const { query } = source
  if (typeof query === "string") return [query]
  return [Template.isOne(query) ? query.sql : ""]
}
