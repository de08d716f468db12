/** Runs `effectpg doctor`, and puts words in the place of what differs from run to run. */
import * as Effect from "effect/Effect"
import { effectpg, type Ran } from "./effectpg.ts"

export const doctor = (url: string, ...args: ReadonlyArray<string>): Effect.Effect<Ran> =>
  Effect.promise(() => effectpg(["doctor", "--url", url, ...args]))

/** The lines, without those about settings and connections of the server, which the test does not choose. */
export const linesOf = ({ stdout }: Ran): ReadonlyArray<string> =>
  stdout
    .split("\n")
    .filter((line, at, all) => {
      const about = line.startsWith(" ") ? all[at - 1] : line
      return line !== "" && !/^\w+ +(settings|connections) /.test(about ?? "") && !/^\d+ ok/.test(line)
    })
    .map((line) =>
      line
        .replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:PORT")
        .replace(/\d+(\.\d+)? ms/g, "N ms")
        .replace(/\d+ days left, until [\d-]+/g, "N days left, until DAY")
        .replace(/(\d+ days?) ago, on [\d-]+/g, "$1 ago, on DAY")
        .replace(/in the database \w+/, "in the database NAME")
        .replace(/^(ok|warning|wrong) +(\S+) +/, "$1 $2: ")
        .trim()
    )
