/** The examination as a whole: from the settings to the last question, as far as it gets. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as PgConfig from "../../PgConfig.ts"
import type * as PgError from "../../PgError.ts"
import { checkSession } from "../../session/transaction/startupCheck.ts"
import type { Session } from "../../session/engine/session.ts"
import { connect } from "../../session/opening/connect.ts"
import { describeError } from "../terminal/report.ts"
import { judgeCertificates } from "./certificates.ts"
import { type Finding, ok, warning, wrong } from "./finding.ts"
import { examinePooler } from "./pooler.ts"
import { isLoopback, reach, type Reached } from "./reach.ts"
import { judgeRefusal } from "./refusal.ts"
import { examineServer } from "./server.ts"
import { examineTiming } from "./timing.ts"
import { judgeVersion } from "./version.ts"

/** Calls `report` with each finding as soon as it is known. */
export const examine = (
  settings: PgConfig.Settings,
  report: (finding: Finding) => Effect.Effect<void>
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const all = (findings: ReadonlyArray<Finding>) => Effect.forEach(findings, report, { discard: true })
    const resolved = yield* Effect.result(PgConfig.resolve(settings))
    if (Result.isFailure(resolved)) return yield* report(wrong("settings", describeError(resolved.failure)))
    const config = resolved.success
    const reached = yield* Effect.forEach(config.hosts, (host) => reach(config, host))
    const opened = yield* Effect.result(connect(config, undefined, checkSession))
    yield* all(wayFindings(reached, Result.isSuccess(opened)))
    if (Result.isFailure(opened)) return yield* all(refusalFindings(opened.failure, config, reached))
    const session = opened.success
    yield* all(openingFindings(session, config, reached))
    for (const part of [examineServer(session, config), examinePooler(session, config), examineTiming(session)]) {
      const findings = yield* Effect.result(part)
      yield* Result.isSuccess(findings)
        ? all(findings.success)
        : report(wrong("examination", describeError(findings.failure)))
    }
  })

/** Another host may serve in the place of one that cannot be reached. */
const wayFindings = (reached: ReadonlyArray<Reached>, isOpen: boolean): ReadonlyArray<Finding> => {
  const found = reached.flatMap(({ encryption, findings }) => [
    ...findings,
    ...judgeCertificates(encryption?.chain ?? [], new Date())
  ])
  return found.map((finding) =>
    isOpen && finding.status === "wrong" && finding.check !== "certificate"
      ? { ...finding, status: "warning" }
      : finding
  )
}

/** Without what the way to the hosts has told already. */
const refusalFindings = (
  error: PgError.PgError,
  config: PgConfig.ResolvedConfig,
  reached: ReadonlyArray<Reached>
): ReadonlyArray<Finding> => {
  const known = new Set(
    reached.flatMap(({ findings }) => findings.filter(({ status }) => status === "wrong")).map(({ check }) => check)
  )
  const chain = reached.flatMap(({ encryption }) => encryption?.chain ?? [])
  return judgeRefusal(error, config, chain).filter(({ check }) => !known.has(check))
}

const openingFindings = (
  session: Session,
  config: PgConfig.ResolvedConfig,
  reached: ReadonlyArray<Reached>
): ReadonlyArray<Finding> => [
  ...(reached.some(({ encryption }) => encryption !== undefined) ? [verification(config)] : []),
  ok("authentication", `as ${config.user}, in the database ${config.database}`),
  judgeVersion(session.parameters.get("server_version") ?? "", new Date())
]

const verification = ({ hosts, sslMode, sslRootCert }: PgConfig.ResolvedConfig): Finding => {
  if (sslMode === "verify-full") return ok("verification", "the certificate is valid, and for this host")
  const isCa = sslMode === "verify-ca" || (sslRootCert !== undefined && sslMode !== "disable")
  if (isCa) return ok("verification", "the certificate is valid; sslMode=verify-full would check the host too")
  const isLocal = hosts.every((host) => host._tag === "Unix" || host.host === "localhost" || isLoopback(host.host))
  const message = `sslMode is ${sslMode}: the certificate was not checked`
  return isLocal
    ? ok("verification", `${message}, and the connection does not leave this machine`)
    : warning("verification", `${message}, so that the server may be another one`, "Connect with sslMode=verify-full.")
}
