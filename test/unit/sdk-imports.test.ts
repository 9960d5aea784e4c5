import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..', '..', 'client-sdk')

/**
 * What the built module at `entry` loads: files of the SDK, and names of packages. The sources are compiled here one by one as `tsc` does
 * it, so that imports of types are gone as they are from the published files.
 */
function graphOf(entry: string, withTypes = false): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>()
  const packages = new Set<string>()
  const visit = (path: string) => {
    if (files.has(path)) return
    files.add(path)
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true }
    const source = readFileSync(path, 'utf8')
    const text = withTypes ? source : ts.transpileModule(source, { compilerOptions }).outputText
    for (const { fileName } of ts.preProcessFile(text, true, true).importedFiles) {
      if (!fileName.startsWith('.')) packages.add(fileName)
      else visit(join(dirname(path), fileName))
    }
  }
  visit(join(root, entry))
  return { files: new Set([...files].map((path) => relative(root, path))), packages }
}

describe('the published modules', () => {
  it('load no package at all, no Node built-in and none of the contract’s schemas in the main entry', () => {
    const { files, packages } = graphOf('index.ts')
    expect([...packages]).toEqual([])
    expect([...files].filter((file) => file.startsWith('node/'))).toEqual([])
    expect([...files].filter((file) => file.startsWith('contract/')).sort()).toEqual([
      'contract/crc64.ts',
      'contract/part-plan.ts',
    ])
  })

  it('load Node’s built-ins and hash-wasm in the node entry, and no zod', () => {
    const { files, packages } = graphOf('node/index.ts')
    expect([...packages].filter((name) => !name.startsWith('node:'))).toEqual(['hash-wasm/dist/crc64.umd.min.js'])
    expect([...files].filter((file) => file.startsWith('contract/')).sort()).toEqual([
      'contract/crc64.ts',
      'contract/part-plan.ts',
    ])
  })

  it('are all used: no file of the SDK is beside the way', () => {
    const own = [...readdirSync(root), ...readdirSync(join(root, 'node')).map((name) => `node/${name}`)]
    const { files } = graphOf('node/index.ts', true)
    expect(own.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts') && !files.has(name))).toEqual([])
  })
})
