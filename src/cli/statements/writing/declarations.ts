/** Writes the declaration file that fills `PgSql.TypedStatements`, and reads which statements one has. */
import { type AstNode, below, child, children, parse, type Parser, textIn } from "../finding/ast.ts"
import type { SourceFile } from "../finding/source.ts"
import { type Entry, parametersType, rowType, tupleType } from "./entry.ts"

const HEADER = `/* eslint-disable */
/**
 * The parameters and rows of this project's statements, by their text. \`effectpg types\` has written this file; do not
 * change it. Commit it, so that the project compiles without a database.
 */
`

/** The statements are in the order of their texts, so that a change of one changes only its lines. */
export const declarations = (entries: ReadonlyMap<string, Entry>): string => {
  const members = [...entries]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([sql, entry]) => `    ${JSON.stringify(sql)}: {
      readonly parameters: ${parametersType(entry)}
      readonly row: ${rowType(entry)}
      readonly tuple: ${tupleType(entry)}
    }
`
    )
    .join("")
  const body = `declare module "effectpg/PgSql" {
  interface TypedStatements {
${members}  }
}
`
  const usesTypes = members.includes("PgTypes.")
  return `${HEADER}${usesTypes ? 'import type * as PgTypes from "effectpg/PgTypes"\n\n' : ""}${body}\nexport {}\n`
}

/** The texts of the statements that a declaration file has. */
export const declaredIn = (parser: Parser, source: SourceFile): ReadonlySet<string> => {
  const texts = new Set<string>()
  const visit = (node: AstNode): void => {
    if (node.type === "TSInterfaceDeclaration" && textIn(child(node, "id"), "name") === "TypedStatements") {
      for (const member of children(child(node, "body"), "body")) {
        const text = textIn(child(member, "key"), "value")
        if (text !== undefined) texts.add(text)
      }
    } else for (const part of below(node)) visit(part)
  }
  visit(parse(parser, source).program)
  return texts
}
