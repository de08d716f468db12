/**
 * Questions that a program makes: hosts, a login and keys, each written into a URL, a string of pairs, a service file or
 * the environment, some of them into two places. The same seed makes the same questions.
 */
import type { Question } from "./question.ts"
import type { Script } from "./recorder.ts"

/** Random numbers from 0 up to but not including 1 (mulberry32). */
const randomFrom = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
}

/** Values of keys; each may be right or wrong. */
const keys: ReadonlyArray<readonly [key: string, variable: string | undefined, values: ReadonlyArray<string>]> = [
  ["application_name", "PGAPPNAME", ["app", "my app", "a'b\\c", "ü", "a&b%25", "x".repeat(80)]],
  ["fallback_application_name", undefined, ["fallback", "a b"]],
  ["options", "PGOPTIONS", ["-cgeqo=off", "-c geqo=off -c jit=off"]],
  ["connect_timeout", "PGCONNECT_TIMEOUT", ["5", "0", "-1", "soon"]],
  ["sslmode", "PGSSLMODE", ["disable", "allow", "prefer", "require", "verify-ca", "Prefer"]],
  [
    "target_session_attrs",
    "PGTARGETSESSIONATTRS",
    ["any", "read-write", "read-only", "primary", "standby", "prefer-standby", "master"]
  ],
  ["load_balance_hosts", "PGLOADBALANCEHOSTS", ["disable", "yes"]],
  ["channel_binding", "PGCHANNELBINDING", ["disable", "prefer", "require", "on"]],
  [
    "require_auth",
    "PGREQUIREAUTH",
    ["none", "password", "md5", "password,md5,none", "!md5", "!none,!password", "md5,md5", "none,!md5", "mine"]
  ],
  ["gssencmode", "PGGSSENCMODE", ["disable", "prefer", "always"]],
  ["sslnegotiation", "PGSSLNEGOTIATION", ["postgres", "direct", "indirect"]],
  ["sslcertmode", "PGSSLCERTMODE", ["disable", "allow", "require", "deny"]],
  ["sslsni", "PGSSLSNI", ["0", "1"]],
  ["ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", ["TLSv1.2", "tlsv1.3", "TLSv2"]],
  ["ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", ["TLSv1.2", "TLSv1.3", "TLSv1.1"]],
  ["min_protocol_version", "PGMINPROTOCOLVERSION", ["3.0", "3.2", "3.1"]],
  ["max_protocol_version", "PGMAXPROTOCOLVERSION", ["3.0", "3.2", "latest", "4"]],
  ["keepalives", undefined, ["0", "1"]],
  ["keepalives_idle", undefined, ["10", "never"]],
  ["client_encoding", undefined, ["UTF8", "auto"]],
  ["krbsrvname", "PGKRBSRVNAME", ["postgres"]],
  ["no_such_key", undefined, ["x"]]
]

const words = ["u", "user two", "ü", "a:b", "a/b", "a@b", "100%", "it's", "back\\slash", "a=b&c", "#", "?", "*"]
const variables: Readonly<Record<string, string>> = {
  host: "PGHOST",
  port: "PGPORT",
  user: "PGUSER",
  password: "PGPASSWORD",
  dbname: "PGDATABASE"
}

export const generated = (seed: number, count: number): ReadonlyArray<Question> => {
  const random = randomFrom(seed)
  return Array.from({ length: count }, () => questionFrom(random))
}

const questionFrom = (random: () => number): Question => {
  const below = (count: number) => Math.floor(random() * count)
  const oneOf = <A>(list: ReadonlyArray<A>): A => list[below(list.length)]!
  const hosts = Array.from({ length: 1 + (random() < 0.4 ? below(3) : 0) }, () => ({
    host: random() < 0.12 ? "{dir}" : random() < 0.1 ? "localhost" : "127.0.0.1",
    port: oneOf(["{a}", "{a}", "{b}", "{c}", "{closed}"])
  }))
  const pairs = new Map<string, string>()
  const environment: Record<string, string> = {}
  const service: Array<string> = []
  const place = (key: string, value: string, name: string | undefined): void => {
    const where = random()
    if (where < 0.15 && name !== undefined) environment[name] = value
    else if (where < 0.25 && value.trim() === value) service.push(`${key}=${value}`)
    else pairs.set(key, value)
  }
  const twice = (key: string, values: ReadonlyArray<string>, name: string | undefined): void => {
    place(key, oneOf(values), name)
    if (random() < 0.15) place(key, oneOf(values), name)
  }
  place("host", hosts.map(({ host }) => host).join(), variables["host"])
  place("port", hosts.map(({ port }) => port).join(), variables["port"])
  twice("user", words, variables["user"])
  if (random() < 0.7) twice("password", words, variables["password"])
  if (random() < 0.7) twice("dbname", words, variables["dbname"])
  for (let left = below(4); left > 0; left--) {
    const [key, name, values] = oneOf(keys)
    twice(key, values, name)
  }
  if (service.length > 0) pairs.set("service", "made")
  return {
    text: random() < 0.5 ? urlOf(pairs, random) : stringOf(pairs, random),
    ...(Object.keys(environment).length === 0 ? {} : { environment }),
    files: {
      ...(service.length === 0 ? {} : { ".pg_service.conf": `# made\n[made]\n${service.join("\n")}\n` }),
      ...(random() < 0.3 ? { ".pgpass": passwordsOf(oneOf) } : {})
    },
    servers: { a: scriptOf(random, oneOf), b: scriptOf(random, oneOf), c: scriptOf(random, oneOf) }
  }
}

/** Percent-encodes all but the places of ports. */
const encoded = (value: string): string =>
  value.startsWith("{") || /^[\w.,{}-]*$/.test(value) ? value : encodeURIComponent(value).replaceAll("'", "%27")

/** Writes some pairs before the query, if they can be there. */
const urlOf = (pairs: ReadonlyMap<string, string>, random: () => number): string => {
  const rest = new Map(pairs)
  const take = (key: string): string | undefined => {
    const value = rest.get(key)
    if (value === undefined || random() < 0.3) return undefined
    rest.delete(key)
    return value
  }
  const user = take("user")
  const password = user === undefined ? undefined : take("password")
  const hosts = take("host")?.split(",")
  const ports = hosts === undefined ? undefined : take("port")?.split(",")
  const database = take("dbname")
  const credentials =
    user === undefined ? "" : `${encoded(user)}${password === undefined ? "" : `:${encoded(password)}`}@`
  // The directory of a socket has slashes, which only a query can have unencoded.
  const isPlain = hosts?.every((host) => host !== "{dir}") ?? true
  if (!isPlain && hosts !== undefined) rest.set("host", hosts.join())
  if (!isPlain && ports !== undefined) rest.set("port", ports.join())
  const authority = isPlain
    ? (hosts ?? []).map((host, at) => `${host}${ports === undefined ? "" : `:${ports[at]}`}`).join()
    : ""
  const query = Array.from(rest, ([key, value]) => `${key}=${encoded(value)}`).join("&")
  return `postgres${random() < 0.5 ? "" : "ql"}://${credentials}${authority}/${encoded(database ?? "")}${query === "" ? "" : `?${query}`}`
}

const stringOf = (pairs: ReadonlyMap<string, string>, random: () => number): string =>
  Array.from(pairs, ([key, value]) => {
    const escaped = value.replaceAll(/[\\']/g, "\\$&")
    const equals = random() < 0.2 ? " = " : "="
    return `${key}${equals}${/^[^\s']+$/.test(value) && random() < 0.6 ? escaped : `'${escaped}'`}`
  }).join(random() < 0.2 ? "  \n " : " ")

const passwordsOf = (oneOf: <A>(list: ReadonlyArray<A>) => A): string =>
  Array.from({ length: 3 }, () =>
    [
      oneOf(["*", "127.0.0.1", "localhost", "{dir}"]),
      oneOf(["*", "{a}", "{b}"]),
      ...[oneOf(words), oneOf(words)].map((word) => oneOf(["*", word.replaceAll(/[\\:]/g, "\\$&")])),
      oneOf(words).replaceAll(/[\\:]/g, "\\$&")
    ].join(":")
  ).join("\n")

const scriptOf = (random: () => number, oneOf: <A>(list: ReadonlyArray<A>) => A): Script => ({
  tls: oneOf(["no", "no", "yes"]),
  ...(random() < 0.5 ? { asksFor: oneOf(["password", "md5"]) } : {}),
  ...(random() < 0.2 ? { refuses: oneOf(["57P03", "28P01", "3D000", "28000"]) } : {}),
  ...(random() < 0.1 ? { refusesClear: "28000" } : {}),
  ...(random() < 0.3 ? { parameters: oneOf([{ in_hot_standby: "on" }, { default_transaction_read_only: "on" }]) } : {})
})
