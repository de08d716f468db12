/** Keeps the completed runs of a pipeline whose rows cannot be read yet, and reads them once their types are known. */
import type { DatabaseTypes } from "../../codec/databaseTypes.ts"
import { makeRowShape, type UndecodableColumn } from "../../codec/rowReader.ts"
import type { CommandTag } from "../../wire/commandTag.ts"
import type { PreparedStatement } from "../statement/preparedStatement.ts"
import type { Plan } from "./pipelinePlan.ts"
import type { RowCollector } from "./rowCollector.ts"

/** A completed run, whose rows may not have been read yet. */
interface AnsweredRun<Row> {
  readonly statement: PreparedStatement
  readonly collector: RowCollector<Row>
  readonly tag: CommandTag
}

export class UnreadRuns<Row> {
  private readonly plan: Pick<Plan<Row, unknown>, "completed" | "form">
  private readonly runs: Array<AnsweredRun<Row>> = []

  constructor(plan: Pick<Plan<Row, unknown>, "completed" | "form">) {
    this.plan = plan
  }

  get isEmpty(): boolean {
    return this.runs.length === 0
  }

  /** Adds a run. From the first unread one on all runs are kept, so that the plan gets them in order. */
  push(run: AnsweredRun<Row>): void {
    this.runs.push(run)
  }

  /** The first column that cannot be read, and its statement; undefined once all rows have been read. */
  get obstacle(): { readonly column: UndecodableColumn; readonly statement: PreparedStatement } | undefined {
    for (const { collector, statement } of this.runs) {
      if (collector.refused !== undefined) return { column: collector.refused, statement }
    }
    return undefined
  }

  /** Reads the rows with the types that are known by now. More types may have to be looked up after that. */
  read(types: DatabaseTypes): void {
    for (const { collector, statement } of this.runs) {
      if (collector.refused === undefined) continue
      const { rowShape } = statement
      collector.reader = rowShape && this.plan.form(makeRowShape(rowShape.columns, types, rowShape.resultFormats))
      collector.readKept()
    }
  }

  /** Passes the runs to the plan. All their rows have been read. */
  complete(): void {
    for (const { collector, tag } of this.runs) this.plan.completed(collector.rows, tag)
  }
}
