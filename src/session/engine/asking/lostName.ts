/**
 * Finds out why a server does not know a statement that a session has prepared. Either SQL has deallocated it, and the
 * client just prepares it again. Or a pooler has moved the session to another server process, and then no session of
 * the pool may rely on names any longer. The server process itself tells: a pooler gives the client a process id of its
 * own, and a statement that is there now was missing somewhere else.
 */
import { TransactionStatus } from "../../../wire/backendMessage.ts"
import { quoteText } from "../../../wire/sqlText.ts"
import type { StatementCache } from "../../statement/statementCache.ts"
import type { Exchange } from "../exchange.ts"
import type { Residue } from "../residue.ts"
import { Question } from "./question.ts"

/** What this file needs of a session. */
interface Losing {
  readonly lost: unknown
  readonly processId: number
  readonly statements: StatementCache
  readonly transactionStatus: TransactionStatus
  onIdle(listener: () => void, isNext?: boolean): () => void
  submit(exchange: Exchange): void
  submitFirst(exchange: Exchange): void
}

interface Served extends Pick<Losing, "processId" | "statements"> {
  readonly residue: Residue
}

/** Asks as the next part of an exchange, and calls back once it is known whether names can be relied upon. */
export const findOutFirst = (
  session: Losing,
  whole: Exchange & { part: Exchange | undefined },
  name: string,
  done: () => void
): void => {
  const { pooler } = session.statements
  if (pooler.losesStatements) return done()
  whole.part = questionAbout(session, name, whole, () => {
    whole.part = undefined
    done()
  })
  session.submitFirst(whole.part)
}

/** Stops relying on names at once, and asks when the session has nothing else to do. */
export const findOutLater = (session: Losing, name: string): void => {
  const { pooler } = session.statements
  if (pooler.losesStatements) return
  pooler.suspectLoss()
  askWhenIdle(session, name)
}

/** In a transaction that has failed, the server answers nothing. */
const askWhenIdle = (session: Losing, name: string): void => {
  if (session.lost !== undefined) return
  if (session.transactionStatus === TransactionStatus.idle) session.submit(questionAbout(session, name))
  else session.onIdle(() => askWhenIdle(session, name), true)
}

/** Takes the id of the server process that serves a session now, which tells whether there is a pooler before it. */
export const servedBy = ({ processId, residue, statements }: Served, process: number): void => {
  if (!(process > 0)) return
  const { pooler } = statements
  if (process !== processId) pooler.isThere = true
  if (residue.process !== undefined && residue.process !== process) pooler.moved()
  residue.process = process
}

const questionAbout = (session: Losing, name: string, whole?: Exchange, done = (): void => {}): Question =>
  new Question(
    `SELECT pg_catalog.concat_ws(' ', pg_catalog.pg_backend_pid(), (SELECT 'has it' FROM pg_catalog.pg_prepared_statements
WHERE name OPERATOR(pg_catalog.=) ${quoteText(name)}))`,
    (answer) => {
      const { pooler } = session.statements
      // An answer with the process of the startup, and without the statement, is the only one that clears the pooler.
      if (answer === undefined) pooler.suspectLoss()
      else if (answer === String(session.processId)) pooler.clear()
      else pooler.losesStatement()
      done()
    },
    whole
  )
