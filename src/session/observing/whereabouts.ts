/**
 * Where an operation runs, for its span and its metrics. In a pool with several hosts only the session that an operation
 * gets tells that.
 */
import * as Context from "effect/Context"
import type * as Tracer from "effect/Tracer"
import { describeTarget, type Target } from "./target.ts"

export class Whereabouts {
  private target: Target
  private span: Tracer.Span | undefined

  /** `target` is named until the operation has a session. */
  constructor(target: Target) {
    this.target = target
  }

  /** The operation has this span. */
  describes(span: Tracer.Span): void {
    this.span = span
    describeTarget(span, this.target)
  }

  /** The operation has a session at this server. */
  found(target: Target): void {
    this.target = target
    if (this.span !== undefined) describeTarget(this.span, target)
  }

  get place(): Target {
    return this.target
  }
}

/** The operation that a fiber runs. */
export const CurrentOperation = Context.Reference<Whereabouts | undefined>("effectpg/CurrentOperation", {
  defaultValue: () => undefined
})
