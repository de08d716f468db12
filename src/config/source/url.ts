/**
 * Parses a connection URL by libpq's grammar, or libpq's other form, `key=value` pairs. `new URL` is unsuitable: it knows only one host, and its errors repeat
 * the URL, including the password.
 *
 * ```
 * postgresql://[user[:password]@][host[:port][,...]][/database][?key=value[&...]]
 * ```
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as PgError from "../../PgError.ts"
import { invalid } from "../given.ts"
import { parseKeyValueString } from "./keyValueString.ts"
import { addPair } from "./pairs.ts"

export interface ConnectionUrl {
  /** Whether the text is in libpq's other form, `key=value`, and has a query only. */
  readonly isKeyValueString: boolean
  readonly user: string
  readonly password: Redacted.Redacted | undefined
  /** Empty if the URL names no host; a host or port that the list leaves out is an empty string. */
  readonly hosts: ReadonlyArray<string>
  readonly ports: ReadonlyArray<string>
  readonly database: string
  readonly query: ReadonlyMap<string, string>
}

type Read<A> = Effect.fn.Return<A, PgError.InvalidConfigError>

const refuse = (reason: string): PgError.InvalidConfigError => invalid("url", reason)

export const parseUrl = Effect.fnUntraced(function* (text: string): Read<ConnectionUrl> {
  const url = text.trim()
  const scheme = /^postgres(?:ql)?:\/\//.exec(url)
  if (scheme === null) {
    if (!/^[^:/]+=/.test(url)) {
      return yield* refuse(
        "must begin with postgres:// or postgresql://, or have key=value pairs, such as host=localhost"
      )
    }
    return { ...NO_PARTS, isKeyValueString: true, query: yield* parseKeyValueString(url) }
  }
  const rest = url.slice(scheme[0].length)
  const authorityEnd = indexOfAny(rest, "/?", 0)
  const authority = rest.slice(0, authorityEnd)
  const queryStart = indexOfAny(rest, "?", authorityEnd)
  // libpq splits at the first @ and takes the rest for a host or a database, so half a password would end up in a
  // message. It also takes a ? for a part of the user if an @ follows before any /.
  const at = authority.indexOf("@")
  const strayAt = rest.indexOf("@", at + 1)
  const mayHoldAt = at !== -1 || rest[authorityEnd] === "/"
  if (strayAt !== -1 && (strayAt < queryStart || !mayHoldAt)) {
    return yield* refuse(
      "has an @ that does not stand between password and host; " +
        "percent-encode these characters in a user or password: @ as %40, / as %2F, ? as %3F, : as %3A"
    )
  }
  const credentials = at === -1 ? "" : authority.slice(0, at)
  const colon = indexOfAny(credentials, ":", 0)
  const password = yield* decode(credentials.slice(colon + 1), "the password")
  return {
    isKeyValueString: false,
    user: yield* decode(credentials.slice(0, colon), "the user"),
    password: password === "" ? undefined : Redacted.make(password),
    ...(yield* parseHosts(authority.slice(at + 1))),
    database: yield* decode(rest.slice(authorityEnd + 1, queryStart), "the database"),
    query: yield* parseQuery(rest.slice(queryStart + 1))
  }
})

const NO_PARTS: Omit<ConnectionUrl, "query" | "isKeyValueString"> = {
  user: "",
  password: undefined,
  hosts: [],
  ports: [],
  database: ""
}

/** The position of the first of the characters; the end of the text if there is none. */
const indexOfAny = (text: string, characters: string, from: number): number => {
  for (let index = from; index < text.length; index++) {
    if (characters.includes(text.charAt(index))) return index
  }
  return text.length
}

/** Splits first and decodes then, so that a percent-encoded separator stays part of its host or port. */
const parseHosts = Effect.fnUntraced(function* (text: string): Read<Pick<ConnectionUrl, "hosts" | "ports">> {
  const hosts: Array<string> = []
  const ports: Array<string> = []
  if (text === "") return { hosts, ports }
  for (const part of text.split(",")) {
    const bracketed = /^\[([^[\]]+)\](?::(.*))?$/.exec(part)
    if (bracketed === null && /[[\]]/.test(part)) {
      return yield* refuse("has a malformed IPv6 address; write it in brackets, such as [::1] or [::1]:5432")
    }
    const colon = indexOfAny(part, ":", 0)
    hosts.push(yield* decode(bracketed?.[1] ?? part.slice(0, colon), "a host"))
    ports.push(yield* decode((bracketed === null ? part.slice(colon + 1) : bracketed[2]) ?? "", "a port"))
  }
  return { hosts, ports }
})

const parseQuery = Effect.fnUntraced(function* (text: string): Read<ReadonlyMap<string, string>> {
  const query = new Map<string, string>()
  for (const [at, pair] of text.split("&").entries()) {
    if (pair === "") continue
    const equals = pair.indexOf("=")
    if (equals === -1) return yield* refuse("must have only key=value pairs, joined by &, after its ?")
    const key = yield* decode(pair.slice(0, equals), "a key")
    const value = yield* decode(pair.slice(equals + 1), "a value")
    yield* addPair(query, key, value, `in position ${at + 1} after its ? has`)
  }
  return query
})

const decode = (text: string, part: string): Effect.Effect<string, PgError.InvalidConfigError> =>
  Effect.try({
    try: () => decodeURIComponent(text),
    catch: () => refuse(`has a % in ${part} that does not begin a percent-encoded character; write it as %25`)
  })
