/** Collects what an effect logs. */
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

export interface LoggedLine {
  readonly level: string
  readonly text: string
}

/** A layer whose logger appends to `lines`. */
export const loggingTo = (lines: Array<LoggedLine>): Layer.Layer<never> =>
  Logger.layer([Logger.make(({ logLevel, message }) => void lines.push({ level: logLevel, text: String(message) }))])
