/**
 * Finds the lines of the user's program in the stack of an error. They are there if the call itself fails, for example
 * because of a wrong option. If the error comes later, the stack has only frames of the client and of Effect.
 */

/**
 * Matches the frame of a function of this file, and gives the folder of all files of the client. In the package this file
 * is in one of the chunks of `dist`.
 */
const OWN_FRAME =
  /(?:^|\s|\()((?:file:\/\/)?(?:\/|[A-Za-z]:[/\\]).*[/\\](?=error[/\\]callerFrames\.|(?<=dist[/\\])chunks[/\\]))[^:]*:\d+:\d+\)?$/

let ownFolder: string | undefined

/** The folder of the client's files; empty if a bundler has put them into a file of the program. */
const folderOfClient = (): string => {
  const [, frame = ""] = new Error().stack?.split("\n") ?? []
  return OWN_FRAME.exec(frame)?.[1] ?? ""
}

/** Frames of Effect and of Node. What comes below them ran the fiber, and is not what made the call. */
const RUNTIME = /[/\\]node_modules[/\\]effect[/\\]|\bnode:|~effect\/|Generator\.next/

/** Frames without a place in a file, such as `at Array.map (<anonymous>)`. */
const isNative = (frame: string): boolean => frame.endsWith("(<anonymous>)")

/** The lines of a stack that belong to the program that called the client, innermost first. */
export const callerFrames = (stack: string | undefined): ReadonlyArray<string> => {
  ownFolder ??= folderOfClient()
  if (stack === undefined || ownFolder === "") return []
  const frames: Array<string> = []
  for (const line of stack.split("\n")) {
    if (!/^\s+at /.test(line)) continue
    if (RUNTIME.test(line)) break
    const isOurs = line.includes(ownFolder)
    if (isOurs && frames.length > 0) break
    if (!isOurs && !isNative(line)) frames.push(line)
  }
  return frames
}
