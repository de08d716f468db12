/** Makes the request that runs one statement once for each row of values. */
import type { Exchange, Resume } from "../engine/exchange.ts"
import type { ObjectRow } from "../../codec/rowReader.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import { Unencodable } from "../../wire/failure.ts"
import { named } from "./batchRequest.ts"
import { mayOutlastError } from "../statement/outcome.ts"
import { Pipeline } from "../exchange/pipeline.ts"
import type { Outcome, Plan } from "../exchange/pipelinePlan.ts"
import { objects, type Request } from "./request.ts"
import type { Session } from "../engine/session.ts"
import type { Statements } from "../statement/statements.ts"
import type { PreparedStatement } from "../statement/preparedStatement.ts"
import { none } from "../statement/wanted.ts"

/** About how many bytes are written before the socket is asked whether it can take more. */
const BLOCK_BYTES = 65_536

/** Rows of values, taken from an iterable as needed. They can be read again until the first run has begun. */
export class Rows {
  private readonly iterator: Iterator<unknown>
  private kept: Array<ReadonlyArray<unknown>> = []
  private isKeeping = true
  private replayed = 0
  private isOver = false

  constructor(rows: Iterable<unknown>) {
    this.iterator = rows[Symbol.iterator]()
  }

  next(): ReadonlyArray<unknown> | undefined {
    const again = this.kept[this.replayed]
    if (again !== undefined) {
      this.replayed++
      return again
    }
    if (this.isOver) return undefined
    const { done, value } = this.iterator.next()
    if (done === true) {
      this.isOver = true
      return undefined
    }
    if (!isRow(value)) throw new Unencodable("each row must be an array of values")
    if (this.isKeeping) {
      this.kept.push(value)
      this.replayed++
    } else if (this.kept.length > 0) {
      this.kept = []
    }
    return value
  }

  /** Starts again with the first row. */
  rewind(): void {
    this.replayed = 0
  }

  /** Keeps no more rows, because none has to be read again. */
  forget(): void {
    this.isKeeping = false
  }

  /** Tells the source that no more rows are wanted. */
  stop(): void {
    if (this.isOver) return
    this.isOver = true
    try {
      this.iterator.return?.()
    } catch {
      // If the call failed, it already has an error to report.
    }
  }
}

const isRow = (value: unknown): value is ReadonlyArray<unknown> => Array.isArray(value)

export interface Prepared {
  readonly statement: PreparedStatement
  readonly statements: Statements
}

/** Runs the statement for every row, and returns how many rows were written in all. */
export const executions = (prepared: Prepared, rows: Rows, offset: number): Request<Outcome<number>> =>
  new Many<never, number>(prepared, rows, offset, none, () => new Total())

/** Runs the statement for every row, and returns the rows of each run. */
export const fetches = (
  prepared: Prepared,
  rows: Rows,
  offset: number
): Request<Outcome<ReadonlyArray<ReadonlyArray<ObjectRow>>>> =>
  new Many<ObjectRow, ReadonlyArray<ReadonlyArray<ObjectRow>>>(prepared, rows, offset, objects, () => new Groups())

/** Collects the answers into a result. */
interface Collector<Row, A> {
  add(rows: ReadonlyArray<Row>, tag: CommandTag): void
  readonly all: A
}

class Total implements Collector<never, number> {
  all = 0

  add(_rows: ReadonlyArray<never>, { rowCount }: CommandTag): void {
    this.all += rowCount
  }
}

class Groups<Row> implements Collector<Row, ReadonlyArray<ReadonlyArray<Row>>> {
  readonly all: Array<ReadonlyArray<Row>> = []

  add(rows: ReadonlyArray<Row>): void {
    this.all.push(rows)
  }
}

class Many<Row, A> implements Request<Outcome<A>> {
  readonly sql: string
  readonly params = undefined
  private readonly prepared: Prepared
  private readonly rows: Rows
  private readonly offset: number
  private readonly form: Plan<Row, A>["form"]
  private readonly collector: () => Collector<Row, A>

  constructor(
    prepared: Prepared,
    rows: Rows,
    offset: number,
    form: Plan<Row, A>["form"],
    collector: () => Collector<Row, A>
  ) {
    this.sql = prepared.statement.sql
    this.prepared = prepared
    this.rows = rows
    this.offset = offset
    this.form = form
    this.collector = collector
  }

  exchange(session: Session, resume: Resume<Outcome<A>>): Exchange {
    const { form, offset, prepared, rows } = this
    const collector = this.collector()
    let { statement } = prepared
    rows.rewind()
    return new Pipeline<Row, A>(
      session,
      {
        next: () => rows.next(),
        statement: () => statement,
        form,
        beforeFirst: () => {
          statement = named(session, prepared.statements, statement)
        },
        learned: (_index, described) => {
          statement = described
        },
        started: () => rows.forget(),
        completed: (answer, tag) => collector.add(answer, tag),
        result: () => collector.all,
        offset,
        // A statement that commits by itself is not begun before all rows are encoded, because no ROLLBACK could undo
        // it.
        blockBytes: mayOutlastError(this.sql) ? Infinity : BLOCK_BYTES
      },
      resume
    )
  }
}
