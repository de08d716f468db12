/** Reads the listing of the public API, so that a test which must know every name notices a new one. */
import { publicApi } from "../fixtures/publicApi.generated.ts"

export interface PublicMember {
  readonly name: string
  /** As the compiler prints it. */
  readonly type: string
}

export interface PublicName {
  /** `PgPool.PgPool` */
  readonly name: string
  readonly keyword: "interface" | "type" | "const"
  /** Empty for an interface. */
  readonly type: string
  readonly members: ReadonlyArray<PublicMember>
}

const read = (): ReadonlyArray<PublicName> => {
  const names: Array<PublicName & { readonly members: Array<PublicMember> }> = []
  let module = ""
  for (const line of publicApi.split("\n")) {
    module = /^# (\w+)$/.exec(line)?.[1] ?? module
    const [, keyword, name, type = ""] = /^(interface|type|const) (\w+)(?:: | = )?(.*)$/.exec(line) ?? []
    if (name !== undefined && (keyword === "interface" || keyword === "type" || keyword === "const")) {
      names.push({ name: `${module}.${name}`, keyword, type, members: [] })
    }
    const [, member, memberType = ""] = /^ {2}([\w[\]]+)\??: (.*)$/.exec(line) ?? []
    if (member !== undefined) names.at(-1)?.members.push({ name: member, type: memberType })
  }
  return names
}

export const publicNames: ReadonlyArray<PublicName> = read()

/** The type of a member of an interface. */
export const membersOf = (name: string): ReadonlyArray<PublicMember> => {
  const found = publicNames.find((listed) => listed.name === name && listed.keyword === "interface")
  if (found === undefined) throw new Error(`the public API has no interface ${name}`)
  return found.members
}

const FUNCTION = /^(\(|<|\{ [(<]|typeof )/

/** Whether a listed type is that of a function or of a class. */
export const isFunctionType = (type: string): boolean => FUNCTION.test(type)
