/**
 * Derives the keys of SCRAM, and remembers them. PBKDF2 is slow on purpose, and all connections of a user derive the same
 * keys until its password changes. Connections that are opened at once share one derivation.
 *
 * The keys are as safe as the password in the settings, which is in the same memory: they are of use only for the role
 * whose salt they were derived with. The password itself is not kept: an entry is found by a hash of it that only this
 * process can compute. Nothing prints the keys, their number is bounded, and those that no server has accepted go away.
 */
import { hash, pbkdf2, randomBytes } from "node:crypto"
import { promisify } from "node:util"
import { saslPrep } from "./saslPrep.ts"
import { type Keys, keysOf, type ServerFirst } from "./scram.ts"

/** More roles than most programs use. The keys that were not used for the longest time go first. */
const MAX_KEYS = 100

export class ScramKeys {
  /** From the least to the most recently used. Private to the language, so that nothing that prints objects shows it. */
  readonly #known = new Map<string, Promise<Keys>>()
  readonly #secret = randomBytes(32).toString("base64")

  /** Rejects if the platform cannot derive keys. */
  of(password: string, challenge: Challenge): Promise<Keys> {
    const entry = this.#entryOf(password, challenge)
    const keys = this.#known.get(entry) ?? derived(password, challenge)
    this.#known.delete(entry)
    this.#known.set(entry, keys)
    if (this.#known.size > MAX_KEYS) this.#known.delete(this.#known.keys().next().value!)
    return keys
  }

  /** Called if the authentication with these keys has failed. */
  forget(password: string, challenge: Challenge): void {
    this.#known.delete(this.#entryOf(password, challenge))
  }

  #entryOf(password: string, { iterations, salt }: Challenge): string {
    return hash("sha256", `${this.#secret} ${iterations} ${salt.toString("base64")} ${password}`, "base64")
  }
}

type Challenge = Pick<ServerFirst, "salt" | "iterations">

const derivedKey = promisify(pbkdf2)

/** Off the event loop. */
const derived = async (password: string, { iterations, salt }: Challenge): Promise<Keys> =>
  keysOf(await derivedKey(saslPrep(password), salt, iterations, 32, "sha256"))
