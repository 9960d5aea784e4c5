import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url))

// A function that counts down from its argument, called until it is optimized, or `most` times.
const script = `
const optimized = new Function('f', 'return %IsTurboFanFunction(f)')
const body = [0, 3, 64, 32, 0, 65, 1, 107, 34, 0, 13, 0, 11, 32, 0, 11]
const bytes = [0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, body.length + 2, 1, body.length, ...body]
const { f } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes))).exports
for (let calls = 0; calls < most && !optimized(f); calls += 1) {
  f(200_000)
  await new Promise((resolve) => setTimeout(resolve, 1))
}
console.log(JSON.stringify({ isOptimized: optimized(f) }))
`

function run(most: number, first: string): unknown {
  const hooks = pathOf('../support/typescript-hooks.mjs')
  const args = [
    '--allow-natives-syntax',
    '--import',
    hooks,
    '--input-type=module',
    '--eval',
    `${first}\nconst most = ${most}\n${script}`,
  ]
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))
}

// Four hundred calls are many times what V8 waits for; how long it then takes is the machine's affair.
it('WebAssembly is compiled once by a server, and twice by any other process', () => {
  const serverOwn = JSON.stringify(pathOf('../../server/cli/wasm-memory.ts'))
  expect(run(400, `import { compileWebAssemblyOnce } from ${serverOwn}; compileWebAssemblyOnce()`)).toEqual({
    isOptimized: false,
  })
  expect(run(20_000, '')).toEqual({ isOptimized: true })
})
