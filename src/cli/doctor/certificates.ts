/** Judges the certificates that a server shows, by the clock of this machine. */
import type { ShownCertificate } from "./encryption.ts"
import { type Finding, ok, warning, wrong } from "./finding.ts"

const DAY_MILLIS = 86_400_000
/** Time enough to renew a certificate by hand. */
const SOON_DAYS = 30

export const judgeCertificates = (chain: ReadonlyArray<ShownCertificate>, now: Date): ReadonlyArray<Finding> =>
  chain.map(({ issuer, subject, validTo }) => {
    const by = issuer === subject ? "signed by itself" : `signed by ${issuer}`
    const days = Math.floor((validTo.getTime() - now.getTime()) / DAY_MILLIS)
    const certificate = `${subject}, ${by}`
    if (days < 0) {
      return wrong("certificate", `${certificate}: expired ${count(-days)} ago, on ${dayOf(validTo)}`, RENEW)
    }
    const left = `${certificate}: ${count(days)} left, until ${dayOf(validTo)}`
    return days < SOON_DAYS ? warning("certificate", left, RENEW) : ok("certificate", left)
  })

const RENEW = "Renew it on the server, and let the server read it with SELECT pg_reload_conf()."

const count = (days: number): string => `${days} ${days === 1 ? "day" : "days"}`

const dayOf = (date: Date): string => date.toISOString().slice(0, "YYYY-MM-DD".length)
