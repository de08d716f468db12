/**
 * Where this client answers otherwise than libpq, and why. A difference that no question shows any more fails the test,
 * so that the list says what is true.
 */
import type { Answer, Answers, Question } from "./question.ts"
import type { Attempt } from "./recorder.ts"

export interface Difference {
  readonly reason: string
  /** The questions that show it. Each of the table does; a random one may have more than one fault. */
  readonly shownBy: (question: Question) => boolean
  /** What the difference looks like, so that it excuses no other of the same question. */
  readonly looksLike?: (answers: Answers) => boolean
}

const weRefuse = ({ ours }: Answers): boolean => ours.outcome === "refused"

const isSameAttempt = (one: Attempt | undefined, other: Attempt | undefined): boolean =>
  JSON.stringify(one) === JSON.stringify(other)

/** The last thing that libpq does is to try in clear what it has tried encrypted, which is the last thing that we do. */
const hasOneMoreInClear = (answers: Answers): boolean => {
  const theirs = comparable(answers.libpq).attempts
  const [encrypted, clear] = theirs.slice(-2)
  return (
    clear?.asked.length === 0 &&
    clear.server === encrypted?.server &&
    encrypted.encrypted !== undefined &&
    isSameAttempt(comparable(answers.ours).attempts.at(-1), encrypted)
  )
}

/** The same is tried, and only libpq sends a password. */
const weSendNoPassword = (answers: Answers): boolean => {
  const ours = comparable(answers.ours).attempts
  const theirs = comparable(answers.libpq).attempts
  return (
    answers.ours.outcome === "failed" &&
    answers.libpq.outcome === "failed" &&
    theirs.every(({ password: _, ...attempt }, at) => isSameAttempt(attempt, ours[at]))
  )
}

const text = (pattern: RegExp) => (question: Question) => pattern.test(question.text ?? "")
const variable = (name: string, value: string) => (question: Question) => question.environment?.[name] === value
/** Whether a key has the value in any source. */
const key =
  (name: string, variableName: string, value: RegExp) =>
  (question: Question): boolean =>
    new RegExp(`\\b${name}\\s*=\\s*'?${value.source}\\b`).test(
      [question.text, ...Object.values(question.files ?? {})].join("\n")
    ) || new RegExp(`^${value.source}$`).test(question.environment?.[variableName] ?? "")
const file = (pattern: RegExp) => (question: Question) =>
  Object.values(question.files ?? {}).some((f) => pattern.test(f))
const refusal = (code: string) => (question: Question) =>
  Object.values(question.servers ?? {}).some(({ refuses }) => refuses === code)
const every =
  (...parts: ReadonlyArray<(question: Question) => boolean>) =>
  (question: Question) =>
    parts.every((part) => part(question))

export const differences: ReadonlyArray<Difference> = [
  {
    reason: "blanks around a URL are cut, because they come from files and variables",
    shownBy: text(/^ postgres:/)
  },
  {
    reason: "a blank in a URL is itself; libpq wants %20",
    shownBy: text(/:p q@/)
  },
  {
    reason:
      "a ? before the @ is refused: where the password ends is unclear, and half of it would become a host or a key",
    shownBy: text(/:p\?q@/)
  },
  {
    reason: "text that is not UTF-8 cannot be sent, because all text of this client is UTF-8",
    shownBy: text(/%FF/)
  },
  {
    reason: "an @ in the database is refused: half a password would become the database",
    shownBy: text(/:1\/q@/)
  },
  {
    reason: "empty pairs in the query say nothing",
    shownBy: text(/\?&|&&/)
  },
  {
    reason: "only the first = of a pair divides it",
    shownBy: text(/application_name=x=y/)
  },
  {
    reason: "database is accepted for dbname",
    shownBy: text(/\bdatabase=[de]/)
  },
  {
    reason: "a percent-encoded comma belongs to the host, because the list is divided before it is decoded",
    shownBy: text(/%2C127/)
  },
  {
    reason: "a wrong value is refused even where libpq does not look at it or takes it for no",
    shownBy: (question) =>
      text(/keepalives=0 keepalives_count=x|sslsni=(yes|'')/)(question) ||
      key("keepalives_idle", "", /never/)(question),
    looksLike: weRefuse
  },
  {
    reason: "a negative keepalives_idle stands for the default",
    shownBy: text(/keepalives_idle=-1/)
  },
  {
    reason: "Node cannot set TCP_USER_TIMEOUT",
    shownBy: text(/tcp_user_timeout=1000/)
  },
  {
    reason: "the encoding of a session is always UTF8, because JavaScript's strings have no other",
    shownBy: text(/client_encoding=LATIN1/)
  },
  {
    reason: "a session for replication is refused",
    shownBy: text(/replication=database/)
  },
  {
    reason: "replication=off is not sent, because it changes nothing",
    shownBy: text(/replication=off/)
  },
  {
    reason: "blanks in a list of methods and around a host are cut",
    shownBy: text(/none, md5|host=' /)
  },
  {
    reason: "an empty minimum of TLS is the default, not the oldest version",
    shownBy: text(/ssl_min_protocol_version='' ssl_max/)
  },
  {
    reason: "the flow of OAuth in a browser is refused: a token is given as oauthToken",
    shownBy: text(/oauth_issuer/)
  },
  {
    reason: "keys of TLS are logged by Node itself",
    shownBy: text(/sslkeylogfile/)
  },
  {
    reason: "an empty variable counts as missing",
    shownBy: (question) =>
      Object.entries(question.environment ?? {}).some(
        ([name, value]) => value === "" && ["PGTZ", "PGCONNECT_TIMEOUT", "PGSSLMODE"].includes(name)
      )
  },
  {
    reason: "Node cannot tell who runs the server of a socket",
    shownBy: variable("PGREQUIREPEER", "postgres")
  },
  {
    reason: "lines of a service file may be long",
    shownBy: file(/^.*(long long|x{1000})/m)
  },
  {
    reason: "an address of two or three parts is refused as a typing error",
    shownBy: text(/hostaddr=127\.1 /)
  },
  {
    reason: "a key that this client does not support is refused in a service file even if a URL overrides it",
    shownBy: file(/gssencmode=always/)
  },
  {
    reason: "the next host is tried after TLS was refused",
    shownBy: every(
      key("sslmode", "PGSSLMODE", /require/),
      (question) => key("host", "PGHOST", /[^\s&]*,[^\s&]*/)(question) || text(/:\/\/[^/]*,/)(question)
    )
  },
  {
    reason: "sslCertMode require fails before a password is sent to a server that cannot have asked for a certificate",
    shownBy: every(key("sslcertmode", "PGSSLCERTMODE", /require/), ({ servers }) =>
      Object.values(servers ?? {}).some(({ asksFor }) => asksFor !== undefined)
    ),
    looksLike: weSendNoPassword
  },
  {
    reason: "the next host is tried after 53300, 57P01 and a broken connection too",
    shownBy: (question) =>
      refusal("53300")(question) ||
      refusal("57P01")(question) ||
      every(text(/127.0.0.1,127/), ({ servers }) => servers?.a?.tls === "hangup")(question)
  },
  {
    reason: "a host that refused is not asked again in the second pass of prefer-standby",
    shownBy: every(key("target_session_attrs", "PGTARGETSESSIONATTRS", /prefer-standby/), refusal("57P03"))
  },
  {
    reason: "verify-full without a name compares the address with the certificate",
    shownBy: text(/^hostaddr=.*verify-full/)
  },
  {
    reason: "a file of TLS that is named must exist, and a key needs its certificate",
    shownBy: text(/sslmode=require ((sslrootcert|sslcert)=\S*\/gone|sslkey=)/)
  },
  {
    reason: "the ports of a URL's hosts come from the next source if it has none at all, also for several hosts",
    shownBy: every(
      text(/^postgres(ql)?:\/\/([^@/]*@)?[^:/]*,[^:/]*\//),
      (question) => question.environment?.["PGPORT"] !== undefined || file(/^port=/m)(question)
    )
  },
  {
    reason: "with sslmode prefer, an encrypted connection that is refused is tried in clear only after 28000",
    shownBy: ({ servers }) =>
      Object.values(servers ?? {}).some(
        ({ refuses, tls }) => tls === "yes" && (refuses === "28P01" || refuses === "3D000")
      ),
    looksLike: hasOneMoreInClear
  },
  {
    reason: "verify-ca without a root certificate is refused, also if the first of several hosts is a socket",
    shownBy: every(key("sslmode", "PGSSLMODE", /verify-ca/), (question) =>
      /\{dir\},|,\{dir\}/.test(JSON.stringify(question))
    )
  },
  {
    reason: "an old key never replaces a stronger sslmode before it",
    shownBy: text(/sslmode=verify-full&ssl=true/)
  }
]

/**
 * Neither connects, and this client says so before it does anything on the network. libpq notices at the server that a
 * timeout is no number, that the key of a certificate is missing, or that no method is left.
 */
export const isToldSooner = ({ libpq, ours }: Answers): boolean =>
  libpq.outcome === "failed" && ours.outcome === "refused" && ours.attempts.length === 0

/**
 * Two spellings of the same: this client always says that its encoding is UTF8, which libpq says only if asked, and
 * names of run-time parameters have no case. A server that was given up during the handshake may or may not have seen
 * the end of it.
 */
export const comparable = ({ attempts, outcome }: Answer): Answer => ({
  outcome,
  attempts: attempts.map(({ encrypted, startup, ...attempt }) => ({
    ...attempt,
    ...(startup === undefined ? {} : { startup: withoutEncoding(startup) }),
    ...(encrypted === undefined || startup === undefined ? {} : { encrypted })
  }))
})

const withoutEncoding = (startup: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(startup)
      .map(([name, value]) => [name.toLowerCase(), value] as const)
      .filter(([name]) => name !== "client_encoding")
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
  )
