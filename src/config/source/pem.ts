/** Reads the files of TLS: certificates, private keys and lists of revoked certificates. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import type * as PgError from "../../PgError.ts"
import { codeOf, readBytes, readBytesIfAny, readFile, readFileIfAny } from "./files.ts"
import { type Given, invalid, readSecretText } from "../given.ts"

type Read<A> = Effect.fn.Return<A, PgError.InvalidConfigError>

/** PEM text given directly, or read from the file that is named, or from the default file if it exists. */
export const readPem = Effect.fnUntraced(function* (
  given: Given | undefined,
  defaultFile: string | undefined,
  label: string
): Read<string | undefined> {
  if (given === undefined) return yield* readFileIfAny(defaultFile)
  const text = yield* readSecretText(given)
  const pem = isPem(text) ? text : yield* Effect.mapError(readFile(text), unreadable(given))
  return pem.includes(`${label}-----`) ? pem : yield* invalid(given.name, `contains no PEM ${label}`)
})

const isPem = (text: string): boolean => text.includes("-----BEGIN")

const unreadable =
  ({ name }: Given) =>
  (code: string): PgError.InvalidConfigError =>
    invalid(name, `is neither PEM text nor the path of a readable file (${code})`)

/** The private key as PEM text, decrypted. A file may also have it in DER format. */
export const readKey = Effect.fnUntraced(function* (
  given: Given | undefined,
  defaultFile: string | undefined,
  password: string | undefined
): Read<string | undefined> {
  const name = given?.name ?? "sslKey"
  const text = given === undefined ? undefined : yield* readSecretText(given)
  if (text !== undefined && isPem(text)) return yield* decrypted(name, Buffer.from(text), password)
  const file = text ?? defaultFile
  if (file === undefined) return undefined
  const bytes = yield* given === undefined ? readBytesIfAny(file) : Effect.mapError(readBytes(file), unreadable(given))
  if (bytes === undefined) return undefined
  yield* checkAccess(name, file)
  return yield* decrypted(name, bytes, password)
})

/** As in libpq, only the owner may have access to a key, but root may let a group read its own. */
const checkAccess = Effect.fnUntraced(function* (name: string, file: string): Read<void> {
  const status = yield* Effect.promise(() => fs.stat(file).catch(() => undefined))
  if (status === undefined || process.platform === "win32") return
  const forbidden = status.uid === 0 ? GROUP_CHANGES_AND_OTHERS : GROUP_AND_OTHERS
  if ((status.mode & forbidden) === 0) return
  return yield* invalid(name, "is a file that its group or others can access; run chmod 0600 on it")
})

const GROUP_AND_OTHERS = 0o077
const GROUP_CHANGES_AND_OTHERS = 0o037

const decrypted = Effect.fnUntraced(function* (
  name: string,
  bytes: Buffer,
  password: string | undefined
): Read<string> {
  const text = bytes.toString("latin1")
  if (isPem(text) && !text.includes("PRIVATE KEY-----")) return yield* invalid(name, "contains no PEM PRIVATE KEY")
  const isEncrypted = /^(?:-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED)/m.test(text)
  if (isPem(text) && isEncrypted && password === undefined) {
    return yield* invalid(name, "is encrypted; set sslPassword")
  }
  const key = privateKeyOf(bytes, isPem(text), password)
  if (key === undefined) {
    return yield* invalid(
      name,
      isEncrypted || (password !== undefined && !isPem(text))
        ? "cannot be decrypted with sslPassword"
        : "is not a private key that this client can read"
    )
  }
  return isPem(text) && !isEncrypted ? bytes.toString("utf8") : exported(key)
})

const exported = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString()

/** Undefined if the bytes are no key, or the password is wrong. */
const privateKeyOf = (key: Buffer, isPem: boolean, passphrase = ""): KeyObject | undefined => {
  const encodings = isPem
    ? [{ format: "pem" } as const]
    : (["pkcs8", "pkcs1", "sec1"] as const).map((type) => ({ format: "der", type }) as const)
  for (const encoding of encodings) {
    try {
      return createPrivateKey({ key, passphrase, ...encoding })
    } catch {
      continue
    }
  }
  return undefined
}

/** Whether the certificate, the first of the text, was made for the key. A text that is no certificate was not. */
export const belongTogether = (certificate: string, key: string): boolean => {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}

const REVOCATION_LIST = /-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/g

/** The lists of a PEM text or file, each as a text of its own, as Node wants them. */
export const readRevocationLists = Effect.fnUntraced(function* (
  given: Given | undefined,
  defaultFile: string | undefined
): Read<ReadonlyArray<string>> {
  const text = yield* readPem(given, defaultFile, "X509 CRL")
  return text?.match(REVOCATION_LIST) ?? []
})

/** The lists in the files of a directory that `openssl rehash` has named. */
export const readRevocationDirectory = Effect.fnUntraced(function* (
  given: Given | undefined
): Read<ReadonlyArray<string>> {
  if (given === undefined) return []
  const directory = yield* readSecretText(given)
  const names = yield* Effect.tryPromise({
    try: () => fs.readdir(directory),
    catch: (error) => invalid(given.name, `is not the path of a readable directory (${codeOf(error)})`)
  })
  const files = names.filter((name) => /^[\da-f]{8}\.r\d+$/.test(name)).sort()
  const texts = yield* Effect.forEach(files, (file) =>
    Effect.mapError(readFile(path.join(directory, file)), unreadable(given))
  )
  const lists = texts.flatMap((text) => text.match(REVOCATION_LIST) ?? [])
  return lists.length > 0
    ? lists
    : yield* invalid(given.name, "has no CRL; make names such as 1a2b3c4d.r0 with openssl rehash")
})
