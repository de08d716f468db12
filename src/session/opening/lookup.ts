/** Looks up the addresses of a host name, anew for each attempt to connect, because a name may move. */
import * as dns from "node:dns"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** The addresses of a name, in the order in which they are to be tried. An address is its own only address. */
export type Lookup = (name: string) => Effect.Effect<ReadonlyArray<string>, NodeJS.ErrnoException>

/** How names are looked up: as the operating system does it, including its file of hosts. */
export const Lookup: Context.Reference<Lookup> = Context.Reference("effectpg/Lookup", {
  defaultValue: (): Lookup => (name) =>
    Effect.callback((resume) =>
      dns.lookup(name, { all: true }, (error, found) =>
        resume(error === null ? Effect.succeed(found.map(({ address }) => address)) : Effect.fail(error))
      )
    )
})
