/** Makes the requests for COPY, in both directions. */
import type { Resume } from "../engine/exchange.ts"
import type { Session } from "../engine/session.ts"
import type { CopyExchange } from "../exchange/copyExchange.ts"
import { CopyIn } from "../exchange/copyInExchange.ts"
import { type Collector, CopyOut, type CopyText } from "../exchange/copyOutExchange.ts"
import type { Request } from "./request.ts"

/** A request for a COPY that can be given up at any time. */
export class CopyRequest<Copy extends CopyExchange> implements Request<Copy> {
  readonly sql: string
  readonly params = undefined
  private readonly make: (session: Session, started: Resume<Copy>) => Copy
  private copy: Copy | undefined

  constructor(sql: string, make: (session: Session, started: Resume<Copy>) => Copy) {
    this.sql = sql
    this.make = make
  }

  exchange(session: Session, started: Resume<Copy>): Copy {
    return (this.copy = this.make(session, started))
  }

  abandon(): void {
    this.copy?.abandon()
  }
}

export const copyIn = (sql: string): CopyRequest<CopyIn> =>
  new CopyRequest(sql, (session, started) => new CopyIn(session, sql, started))

export const copyOut = <A>(text: CopyText, collector: Collector<A>): CopyRequest<CopyOut<A>> =>
  new CopyRequest(text.told, (session, started) => new CopyOut(session, text, collector, started))
