import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/*
 * What is measured runs as plain JavaScript: transpiling it where it runs would add the compiler's memory and time to every contender.
 * Imports of the product lead to its build, which is what users run.
 */

const benchDirectory = dirname(import.meta.dirname)
const outDirectory = join(benchDirectory, 'dist')
const productBuild = join(benchDirectory, '../../dist')
let isCompiled = false

/** The JavaScript of a file of test/bench; `source` is its URL, as from `new URL('./client.ts', import.meta.url)`. */
export function compiled(source: URL): string {
  if (!isCompiled) compileAll()
  isCompiled = true
  return javaScriptOf(fileURLToPath(source))
}

function compileAll(): void {
  for (const entry of readdirSync(benchDirectory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const isSource = entry.isFile() && entry.name.endsWith('.ts') && !/\/(node_modules|dist)\//.test(path)
    if (!isSource) continue
    const { outputText } = ts.transpileModule(readFileSync(path, 'utf8'), {
      compilerOptions: {
        target: ts.ScriptTarget.ES2023,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    })
    mkdirSync(dirname(javaScriptOf(path)), { recursive: true })
    writeFileSync(
      javaScriptOf(path),
      outputText.replaceAll(/(['"])\.\.\/\.\.\/\.\.\/server\//g, `$1${productBuild}/server/`),
    )
  }
}

function javaScriptOf(path: string): string {
  return join(outDirectory, relative(benchDirectory, path)).replace(/\.ts$/, '.js')
}
