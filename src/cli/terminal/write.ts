/** Writes to the standard output and the standard error, and waits until the text is out. */
import * as Effect from "effect/Effect"
import { ExitCode, ExitWith } from "./failure.ts"

const writeTo =
  (stream: NodeJS.WriteStream) =>
  (text: string): Effect.Effect<void, ExitWith> =>
    Effect.callback((resume) => {
      stream.write(text, (error) => resume(error ? Effect.fail(NOBODY_READS) : Effect.void))
    })

/** The reader has had enough, as `head` does. That is no failure of the command. */
const NOBODY_READS = new ExitWith({ exitCode: ExitCode.success })

/** Results, which another program may read. */
export const print = writeTo(process.stdout)

/** Everything else that a person may want to know. */
export const tell = writeTo(process.stderr)

/** Without a listener, a reader that has gone is an exception. The write itself fails too. */
export const ignoreClosedPipes = (): void => {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {})
}
