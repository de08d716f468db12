/** A control statement, sent as a simple query. */
import type * as Exit from "effect/Exit"
import type * as PgError from "../../PgError.ts"
import type { Buffer } from "node:buffer"
import { readText } from "../../codec/text.ts"
import type { ByteWriter } from "../../wire/byteWriter.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import type { Watched } from "../engine/liveness.ts"
import type { Resume } from "../engine/exchange.ts"
import type { Session } from "../engine/session.ts"
import { SimpleQuery } from "../exchange/simpleQuery.ts"

export interface Control {
  /** What the statement does, for the error. The SQL itself may contain values of the user. */
  readonly operation: string
  readonly sql: string
  /** Writes the statement, if its message was made before. */
  readonly write?: ((writer: ByteWriter) => void) | undefined
  /** Whether nothing may be written behind it before it is answered. */
  readonly isExclusive?: boolean
  /** Receives the values of each row as texts, which are empty for NULL. */
  readonly read?: ((session: Session, values: ReadonlyArray<string>) => void) | undefined
}

export class ControlQuery extends SimpleQuery implements Watched {
  nextSince: number | undefined
  private readonly control: Control

  constructor(session: Session, control: Control, resume: Resume<ReadonlyArray<CommandTag>>) {
    super(session, control.sql, resume, true)
    this.control = control
    this.exclusive = control.isExclusive === true
  }

  get operation(): string {
    return this.control.operation
  }

  override encode(writer: ByteWriter): void {
    if (this.control.write === undefined) super.encode(writer)
    else this.control.write(writer)
  }

  override dataRows(bytes: Buffer, at: number, limit: number): number {
    const end = super.dataRows(bytes, at, limit)
    this.control.read?.(this.session, textsOf(bytes, at, end))
    return end
  }

  protected override finish(exit: Exit.Exit<ReadonlyArray<CommandTag>, PgError.PgError>): void {
    this.session.liveness.forget(this)
    super.finish(exit)
  }
}

/** Where the first value of a DataRow begins, with its length: behind the header and the number of columns. */
const FIRST_VALUE = 5 + 2
const LENGTH_BYTES = 4

const textsOf = (bytes: Buffer, at: number, end: number): ReadonlyArray<string> => {
  const texts: Array<string> = []
  for (let next = at + FIRST_VALUE; next + LENGTH_BYTES <= end;) {
    const start = next + LENGTH_BYTES
    next = start + Math.max(0, bytes.readInt32BE(next))
    if (next > end) break
    texts.push(readText(bytes, start, next))
  }
  return texts
}
