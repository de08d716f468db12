/** Files that a command reads and writes. What the system refuses is no bug: the failure names the file and what to do. */
import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import { type CliFailure, misuse } from "./failure.ts"

/** Does something with files. Whatever else goes wrong is a defect. */
export const withFiles = <A>(work: () => A): Effect.Effect<A, CliFailure> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(work())
    } catch (error) {
      return isRefusal(error) ? Effect.fail(refusalOf(error)) : Effect.die(error)
    }
  })

/** The failure of a command if the system refuses something. */
export const refusalOf = ({ code = "", message, path }: NodeJS.ErrnoException): CliFailure =>
  misuse(`${path ?? "a file"}: ${REASONS[code] ?? `${message}. Mend that, or choose another place.`}`)

const NO_RIGHT = "permission denied. Let this user read and write there, or choose another place."
const NO_FOLDER = "a part of this path is a file, where a folder is expected. Correct the path, or remove the file."
const TOO_LONG = "the file is too large to be read. Name those that are to be read, here or as sources in package.json."

const REASONS: Readonly<Record<string, string>> = {
  EACCES: NO_RIGHT,
  EPERM: NO_RIGHT,
  EROFS: "the file system can only be read. Choose another place.",
  ENOENT: "there is no such file or folder. Correct the path, or make the folder.",
  ENOTDIR: NO_FOLDER,
  EEXIST: NO_FOLDER,
  EISDIR: "this is a folder, where a file is expected. Correct the path.",
  ELOOP: "its symbolic links lead in a circle. Mend them, or correct the path.",
  ERR_FS_FILE_TOO_LARGE: TOO_LONG,
  ERR_STRING_TOO_LONG: TOO_LONG
}

const TOO_LARGE = /^ERR_(?:FS_FILE_TOO_LARGE|STRING_TOO_LONG)$/

/** Whether the system has refused to do something with a file. */
export const isRefusal = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error &&
  "code" in error &&
  typeof error.code === "string" &&
  ("syscall" in error || TOO_LARGE.test(error.code))

/**
 * The text of a file, as compilers read it: without a byte order mark, and with line feeds at the ends of its lines. Lines
 * and columns stay what they are.
 */
export const readText = (file: string): string => {
  try {
    return fs
      .readFileSync(file, "utf8")
      .replace(/^\uFEFF/, "")
      .replaceAll(/\r\n?/g, "\n")
  } catch (error) {
    // Some errors name no file, as that of a folder.
    if (isRefusal(error)) error.path ??= file
    throw error
  }
}

/** Whether there is a file, and no folder, pipe or device, which may never end. */
export const isFile = (file: string): boolean => {
  try {
    return fs.statSync(file).isFile()
  } catch {
    return false
  }
}
