/** Tests that the pages are easy to read: no sentence, paragraph or line is too long. */
import { assert, describe, it } from "vitest"
import { complaintsOf, pages, paragraphsOf, sentencesOf, textOf } from "./prose.ts"

describe("the prose of the repository", () => {
  it("is found", () => {
    for (const page of ["README.md", "docs/index.md", "docs/guide/errors.md"]) assert.include(pages, page)
  })

  it.each(pages)("%s has no long sentence, paragraph or line", (page) => {
    assert.deepStrictEqual(complaintsOf(page, textOf(page)), [])
  })
})

const words = (count: number): string => Array.from({ length: count }, (_, at) => `w${at}`).join("\n")

describe("the check itself", () => {
  it("finds a sentence of 41 words, and not one of 40", () => {
    const found = complaintsOf("page.md", `A short one. ${words(41).replaceAll("\n", " ")}.`)
    assert.include(found[0], "a sentence of 41 words")
    assert.deepStrictEqual(complaintsOf("page.md", `${words(40).replaceAll("\n", " ")}.`), [
      "page.md:1: a line of 150 characters: w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11 w12 w13 w14 w15 w16 w1..."
    ])
  })

  it("finds a paragraph of nine lines, and not an item of a list behind it", () => {
    assert.deepStrictEqual(complaintsOf("page.md", `${words(9)}\n- ${words(8)}`), ["page.md:1: a paragraph of 9 lines"])
  })

  it("leaves out code, tables and what stands above a page", () => {
    const page = "---\nlayout: home\n---\n# Title\n```sh\nno prose\n```\n| a | b |\n\nOne. Two: `a. b` is code.\n"
    const paragraphs = paragraphsOf(page)
    assert.deepStrictEqual(paragraphs, [{ line: 10, lines: ["One. Two: `a. b` is code."] }])
    assert.deepStrictEqual(paragraphs.flatMap(sentencesOf), ["One.", "Two: code is code."])
  })
})
