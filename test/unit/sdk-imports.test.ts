import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..', '..', 'client-sdk')

/** As tsc does it: imports of types are gone, as they are from the published files. */
function compile(source: string): string {
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true }
  return ts.transpileModule(source, { compilerOptions }).outputText
}

/** What a module names: at once by its import and export statements, or later by import() or as the file of a worker. */
function importsOf(path: string, source: string): { now: string[]; later: string[] } {
  const now: string[] = []
  const later: string[] = []
  const visit = (node: ts.Node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      now.push((node.moduleSpecifier as ts.StringLiteral).text)
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) later.push(textOf(node))
    if (ts.isNewExpression(node) && node.expression.getText() === 'URL' && node.getText().includes('import.meta.url')) {
      later.push(textOf(node).replace(/[.]js$/, '.ts'))
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, source, ts.ScriptTarget.ES2023, true))
  return { now, later }
}

function textOf(call: ts.CallExpression | ts.NewExpression): string {
  const first = call.arguments?.[0]
  if (!first || !ts.isStringLiteral(first)) throw new Error('what is loaded must be written as it is, for bundlers')
  return first.text
}

/** The files of the SDK and the packages that `entry` loads with itself, ever, or ever and for their types. */
function graphOf(entry: string, which: 'now' | 'ever' | 'with types'): { files: string[]; packages: string[] } {
  const files = new Set<string>()
  const packages = new Set<string>()
  const visit = (path: string) => {
    if (files.has(path)) return
    files.add(path)
    const source = readFileSync(path, 'utf8')
    const { now, later } = importsOf(path, which === 'with types' ? source : compile(source))
    for (const name of which === 'now' ? now : [...now, ...later]) {
      if (name.startsWith('.')) visit(join(dirname(path), name))
      else packages.add(name)
    }
  }
  visit(join(root, entry))
  return { files: [...files].map((path) => relative(root, path)).sort(), packages: [...packages].sort() }
}

const inFolder = (files: string[], folder: string) => files.filter((file) => file.startsWith(`${folder}/`))
const hashPackages = ['@noble/hashes/legacy.js', 'hash-wasm']
/** The files of the contract that need no zod. */
const plainContract = [
  'contract/canonical-v4.ts',
  'contract/crc64.ts',
  'contract/part-plan.ts',
  'contract/text-form.ts',
]

describe('the entry for browsers', () => {
  it('loads no package with the page, and neither the engine nor what hashes', () => {
    const { files, packages } = graphOf('browser/index.ts', 'now')
    expect(packages).toEqual([])
    expect(inFolder(files, 'contract')).toEqual(['contract/part-plan.ts'])
    for (const apart of ['upload-file.ts', 'send-part.ts', 'browser/upload-ports.ts', 'browser/part-hasher.ts']) {
      expect(files).not.toContain(apart)
    }
  })

  it('never loads a Node built-in, zod or a file of Node’s', () => {
    const { files, packages } = graphOf('browser/index.ts', 'ever')
    expect(packages).toEqual(hashPackages)
    expect(files).toEqual(expect.arrayContaining(['upload-file.ts', 'browser/hash-worker.ts']))
    expect(inFolder(files, 'contract')).toEqual(plainContract)
    expect([...inFolder(files, 'node'), ...inFolder(files, 'queue')]).toEqual([])
  })

  it('is built into one file that imports nothing, and a worker that does neither', () => {
    for (const file of ['dist/partway-client.js', 'dist/browser/hash-worker.js']) {
      const { now, later } = importsOf(file, readFileSync(join(root, file), 'utf8'))
      expect([...now, ...later]).toEqual([])
    }
  })
})

describe('the entry for Node', () => {
  it('loads Node’s built-ins and one hash, and no zod', () => {
    const { files, packages } = graphOf('node/index.ts', 'ever')
    expect(packages.filter((name) => !name.startsWith('node:'))).toEqual(['hash-wasm/dist/crc64.umd.min.js'])
    expect(inFolder(files, 'contract')).toEqual(plainContract)
    expect(inFolder(files, 'browser')).toEqual([])
  })
})

describe('the queue', () => {
  it('loads no package, and of the client only words', () => {
    const { files, packages } = graphOf('queue/index.ts', 'ever')
    expect(packages).toEqual([])
    expect([...inFolder(files, 'browser'), ...inFolder(files, 'node')]).toEqual([])
    expect(files).not.toContain('upload-client.ts')
  })
})

describe('the files of the SDK', () => {
  it('are all used', () => {
    const used = ['browser', 'node', 'queue'].flatMap((folder) => graphOf(`${folder}/index.ts`, 'with types').files)
    const all = ['', 'browser', 'node', 'queue'].flatMap((folder) =>
      readdirSync(join(root, folder)).map((name) => join(folder, name)),
    )
    const sources = all.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    expect(sources.filter((name) => !used.includes(name))).toEqual([])
  })
})
