/** Settings of the documentation site: its pages, and how code comes into them. */
import { defineConfig } from "vitepress"
import { diagram } from "./diagrams.ts"
import { decisions, sidebar } from "./sidebar.ts"

/** Programs of this repository import the sources, and a database for themselves; their readers import the package. */
const asReadersWrite = (code: string): string =>
  code
    .replaceAll(/^ *\/\/ #(?:end)?region.*\n?/gm, "")
    .replaceAll(/^import "(?:\.\.?\/)+(?:examples\/)?support\/databaseUrl\.ts"\n/gm, "")
    .replaceAll(/from "(?:\.\.\/)+src\/index\.ts"/g, 'from "effectpg"')
    .replaceAll(/from "(?:\.\.\/)+src\/(\w+)\.ts"/g, 'from "effectpg/$1"')

export default defineConfig({
  title: "effectpg",
  description: "The PostgreSQL client for Effect: binary protocol, scoped resources, typed errors",
  cleanUrls: false,
  lastUpdated: false,
  srcExclude: ["code/**"],
  markdown: {
    config: (markdown) => {
      const { highlight } = markdown.options
      const { fence } = markdown.renderer.rules
      markdown.renderer.rules["fence"] = (tokens, index, ...rest) => {
        const token = tokens[index]
        return token?.info.trim() === "dot" ? diagram(token.content) : (fence?.(tokens, index, ...rest) ?? "")
      }
      if (highlight) markdown.set({ highlight: (code, ...rest) => highlight(asReadersWrite(code), ...rest) })
    }
  },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    sidebar,
    nav: [
      { text: "Guide", link: "/guide/getting-started" },
      { text: "Reference", link: "/reference/" },
      { text: "Decisions", link: decisions[0]?.link ?? "/" }
    ]
  }
})
