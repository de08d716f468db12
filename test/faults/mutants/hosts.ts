/** Mutants that choose a wrong server, or stay with it. */
import type { Mutant } from "./mutants.ts"

const HOSTS = "test/session/opening/hosts.sim.test.ts"
const FITNESS = "test/pool/opening/fitness.test.ts"
const FAILOVER = "test/failover/failover.integration.test.ts"

export const hostMutants: ReadonlyArray<Mutant> = [
  {
    what: "lets a silent host block the list",
    edits: [
      {
        file: "session/opening/hostLoop.ts",
        find: "bounded(tryOne(candidate, role), millis, search, silent)",
        replace: "bounded(tryOne(candidate, role), 0, search, silent)"
      }
    ],
    test: HOSTS,
    only: "costs its own bound only"
  },
  {
    what: "takes a server of any role",
    edits: [
      {
        file: "session/opening/role.ts",
        find: '  if (known !== undefined || role === "any") return Effect.succeed(known ?? true)\n',
        replace: '  if (known !== undefined || role === "any") return Effect.succeed(true)\n'
      }
    ],
    test: HOSTS,
    only: "passes over a standby"
  },
  {
    what: "looks a name up only once",
    edits: [
      {
        file: "session/opening/hostLoop.ts",
        find: "  const found = Effect.flatMap(Lookup, (lookup) => lookup(name)).pipe(\n",
        replace:
          "  const found = Effect.flatMap(Lookup, (lookup) => (remembered[name] ??= Effect.runSync(Effect.cached(lookup(name))))).pipe(\n"
      },
      {
        file: "session/opening/hostLoop.ts",
        find: "/** The roles that are asked for, one after the other. */\n",
        replace: "const remembered: Record<string, ReturnType<Lookup>> = {}\n\n"
      }
    ],
    test: FAILOVER,
    only: "name has moved"
  },
  {
    what: "lends a session whose server has another role",
    edits: [
      {
        file: "pool/sessionPool.ts",
        find: "    if (member.isChosen === true && !isFit(member)) return true\n",
        replace: ""
      }
    ],
    test: FITNESS
  },
  {
    what: "lends a session again that has refused to write",
    edits: [
      {
        file: "pool/opening/fitness.ts",
        find: "  if (session.residue.hasMetReadOnly && isForWriting(place.role)) return false\n",
        replace: ""
      }
    ],
    test: FITNESS,
    only: "25006"
  },
  {
    what: "does not doubt the server of a lost session",
    edits: [
      {
        file: "pool/sessionPool.ts",
        find: "      if (isSuspicious(error)) this.suspectBeside(member)\n",
        replace: ""
      }
    ],
    test: FITNESS,
    only: "checks the others"
  },
  {
    what: "pauses for long although a caller waits",
    edits: [
      {
        file: "pool/opening/retries.ts",
        find: "    if (due >= this.dueAt) return\n",
        replace: "    if (due > 0) return\n"
      }
    ],
    test: "test/pool/sessionPool.test.ts",
    only: "no longer than a second"
  }
]
