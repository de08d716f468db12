/** Parses the command line of the benchmark. */
import { parseArgs } from "node:util"
import type { Pace } from "./measure.ts"

export const USAGE = `npm run bench -- [options]

  --drivers a,b       only these, in this order; the first is held against the others
  --workloads a,b     only these; otherwise those that show most, and all with --full
  --rounds n          how many turns each driver has in each workload
  --seconds n         how long a turn lasts
  --full              all workloads, in many and long turns, for figures that are to be published
  --results file      measures nothing, and takes these results instead
  --compare file      says what differs by more than 10 % from these results
  --publish           copies the figures and their chart to bench/published
  --help              this

Set EFFECTPG_TEST_URL to measure against a running server; it gets a database of its own there.`

export const short: Pace = { rounds: 5, secondsPerRound: 0.5, warmUpSeconds: 1 }
export const full: Pace = { rounds: 7, secondsPerRound: 0.8, warmUpSeconds: 1 }

export interface Options<D, W> {
  readonly drivers: ReadonlyArray<D>
  readonly workloads: ReadonlyArray<W>
  readonly pace: Pace
  /** A file with results to use instead of measuring. */
  readonly results: string | undefined
  /** A file with the results to compare with. */
  readonly compare: string | undefined
  readonly publish: boolean
  readonly help: boolean
}

interface Named {
  readonly name: string
}

/** Parses the arguments. Throws an error that says what is wrong with them. */
export const parseOptions = <D extends Named, W extends Named>(
  args: ReadonlyArray<string>,
  drivers: ReadonlyArray<D>,
  workloads: ReadonlyArray<W>,
  usual: ReadonlyArray<W> = workloads
): Options<D, W> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      drivers: { type: "string" },
      workloads: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      full: { type: "boolean", default: false },
      results: { type: "string" },
      compare: { type: "string" },
      publish: { type: "boolean", default: false },
      help: { type: "boolean", default: false }
    }
  })
  const pace = values.full ? full : short
  return {
    drivers: chosen("driver", values.drivers, drivers),
    workloads: values.workloads === undefined && !values.full ? usual : chosen("workload", values.workloads, workloads),
    pace: {
      rounds: positive("--rounds", values.rounds, pace.rounds, Number.isSafeInteger),
      secondsPerRound: positive("--seconds", values.seconds, pace.secondsPerRound, Number.isFinite),
      warmUpSeconds: pace.warmUpSeconds
    },
    results: values.results,
    compare: values.compare,
    publish: values.publish,
    help: values.help
  }
}

const chosen = <A extends Named>(
  kind: string,
  names: string | undefined,
  known: ReadonlyArray<A>
): ReadonlyArray<A> => {
  if (names === undefined) return known
  return names.split(",").map((name) => {
    const found = known.find((candidate) => candidate.name === name)
    if (found !== undefined) return found
    throw new Error(`there is no ${kind} "${name}"; there are ${known.map((candidate) => candidate.name).join(", ")}`)
  })
}

const positive = (
  option: string,
  value: string | undefined,
  otherwise: number,
  isAllowed: (number: number) => boolean
): number => {
  if (value === undefined) return otherwise
  const number = Number(value)
  if (isAllowed(number) && number > 0) return number
  throw new Error(`${option} must be a number above 0${isAllowed(0.5) ? "" : ", and whole"}: "${value}" is not`)
}
