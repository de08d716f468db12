/** What the doctor finds, and how a person reads it. */

export type Status = "ok" | "warning" | "wrong"

export interface Finding {
  readonly check: string
  readonly status: Status
  readonly message: string
  /** How to mend it. */
  readonly hint?: string | undefined
}

export const ok = (check: string, message: string): Finding => ({ check, status: "ok", message })

export const warning = (check: string, message: string, hint?: string): Finding => ({
  check,
  status: "warning",
  message,
  hint
})

export const wrong = (check: string, message: string, hint?: string): Finding => ({
  check,
  status: "wrong",
  message,
  hint
})

const STATUS_WIDTH = "warning".length
const CHECK_WIDTH = "authentication".length

/** One line, and a second one if something is to be mended. */
export const lineOf = ({ check, hint, message, status }: Finding): string => {
  const line = `${status.padEnd(STATUS_WIDTH)}  ${check.padEnd(CHECK_WIDTH)}  ${message.replaceAll("\n", " ")}\n`
  return hint === undefined ? line : `${line}${" ".repeat(STATUS_WIDTH)}  -> ${hint}\n`
}

export const summaryOf = (findings: ReadonlyArray<Finding>): string => {
  const count = (status: Status): number => findings.filter((finding) => finding.status === status).length
  const warnings = count("warning")
  return `${count("ok")} ok, ${warnings} ${warnings === 1 ? "warning" : "warnings"}, ${count("wrong")} wrong\n`
}
