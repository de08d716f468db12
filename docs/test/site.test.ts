/** Opens every page of the built site in a real browser. `npm run docs` builds it first. */
import * as fs from "node:fs"
import type { Browser, BrowserContextOptions } from "playwright-core"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { openBrowser, pages, serve, type Site } from "./site.ts"

const SCREENS: ReadonlyArray<readonly [name: string, options: BrowserContextOptions]> = [
  ["wide and light", { viewport: { width: 1440, height: 900 }, colorScheme: "light" }],
  ["narrow and dark", { viewport: { width: 390, height: 844 }, colorScheme: "dark" }]
]
const PAGES_TIMEOUT_MILLIS = 240_000

/** Where to keep pictures of the pages, for people who want to look at them. */
const PICTURES = process.env["DOCS_PICTURES"]

let site: Site
let browser: Browser

beforeAll(async () => {
  site = await serve()
  browser = await openBrowser()
}, 60_000)

afterAll(async () => {
  await browser.close()
  site.close()
})

describe("the site", () => {
  it("has been built", () => {
    assert.include(pages, "/index.html")
    assert.include(pages, "/guide/getting-started.html")
    assert.include(pages, "/reference/PgClient.html")
  })

  for (const [screen, options] of SCREENS) {
    it(
      `opens each page on a screen that is ${screen}, without an error and without scrolling sideways`,
      async () => {
        const complaints: Array<string> = []
        const context = await browser.newContext(options)
        const tab = await context.newPage()
        tab.on("console", (message) => {
          if (message.type() === "error") complaints.push(`${tab.url()}: ${message.text()}`)
        })
        tab.on("pageerror", (error) => complaints.push(`${tab.url()}: ${error.message}`))
        tab.on("response", (response) => {
          if (!response.ok()) complaints.push(`${tab.url()}: ${response.url()} answers ${response.status()}`)
        })
        for (const page of pages) {
          await tab.goto(site.origin + page, { waitUntil: "load" })
          const width = await tab.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
          if (width > 0) complaints.push(`${page}: ${width} pixels too wide`)
          if (PICTURES !== undefined) await picture(page, screen, await tab.screenshot())
        }
        await context.close()
        assert.deepStrictEqual(complaints, [])
      },
      PAGES_TIMEOUT_MILLIS
    )
  }

  it(
    "has a page and a heading for each of its links",
    async () => {
      const tab = await browser.newPage()
      const links = new Map<string, string>()
      const anchors = new Set<string>()
      for (const page of pages) {
        await tab.goto(site.origin + page)
        anchors.add(page)
        for (const id of await tab.$$eval("[id]", (elements) => elements.map(({ id }) => id)))
          anchors.add(`${page}#${id}`)
        for (const href of await tab.$$eval("a[href]", (all) => all.map((a) => (a as HTMLAnchorElement).href))) {
          const { origin, pathname, hash } = new URL(href)
          if (origin !== site.origin) continue
          const target = pathname.endsWith("/") ? `${pathname}index.html` : pathname
          links.set(decodeURIComponent(target + hash), page)
        }
      }
      assert.isAbove(links.size, pages.length)
      const dead = Array.from(links).filter(
        ([target]) => !anchors.has(target) && !anchors.has(target.replace(/#$/, ""))
      )
      assert.deepStrictEqual(dead, [])
    },
    PAGES_TIMEOUT_MILLIS
  )

  it("finds a word while it is offline", async () => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } })
    const tab = await context.newPage()
    await tab.goto(site.origin)
    await context.route(/.*/, (route) =>
      new URL(route.request().url()).origin === site.origin ? route.continue() : route.abort()
    )
    await tab.click(".VPNavBarSearch button")
    await tab.fill("#localsearch-input", "savepoint")
    await tab.waitForSelector("#localsearch-list a.result")
    assert.isAbove(await tab.locator("#localsearch-list a.result").count(), 0)
    await context.close()
  })
})

const picture = async (page: string, screen: string, png: Buffer): Promise<void> => {
  const folder = `${PICTURES}/${screen.replaceAll(" ", "-")}`
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(`${folder}/${page.slice(1).replaceAll("/", "-").replace(".html", ".png")}`, png)
}
