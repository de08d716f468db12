/** The built site as its readers get it: a web server of files, and a real browser without a window. */
import chromium from "@sparticuz/chromium"
import * as fs from "node:fs"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { type Browser, chromium as driver } from "playwright-core"

const DIST = fileURLToPath(new URL("../.vitepress/dist/", import.meta.url))

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2"
}

/** Every page of the site, as a path such as `/guide/errors.html`. */
export const pages: ReadonlyArray<string> = fs.existsSync(DIST)
  ? fs
      .readdirSync(DIST, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".html") && file !== "404.html")
      .map((file) => `/${file.replaceAll(path.sep, "/")}`)
      .toSorted()
  : []

export interface Site {
  readonly origin: string
  readonly close: () => void
}

export const serve = (): Promise<Site> =>
  new Promise((resolve) => {
    const server = http.createServer((request, response) => {
      const { pathname } = new URL(request.url ?? "/", "http://localhost")
      const file = path.join(DIST, pathname.endsWith("/") ? `${pathname}index.html` : pathname)
      if (!file.startsWith(DIST) || !fs.existsSync(file)) {
        response.writeHead(404).end("there is no such page")
        return
      }
      response.writeHead(200, { "content-type": CONTENT_TYPES[path.extname(file)] ?? "application/octet-stream" })
      fs.createReadStream(file).pipe(response)
    })
    server.listen(0, "localhost", () => {
      const { port } = server.address() as AddressInfo
      resolve({ origin: `http://localhost:${port}`, close: () => server.close() })
    })
  })

/** `CHROME` names a browser that is installed; without it, the one from npm is used, which is for Linux on x64. */
export const openBrowser = async (): Promise<Browser> =>
  driver.launch({
    executablePath: process.env["CHROME"] ?? (await chromium.executablePath()),
    args: ["--no-sandbox", "--disable-gpu"],
    headless: true
  })
