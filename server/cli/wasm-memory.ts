import { setFlagsFromString } from 'node:v8'

/**
 * Keeps V8 from compiling WebAssembly a second time, with its optimizing compiler, in the whole process: what that works in, some 15 to 30 MB,
 * stays with it. What a server runs of WebAssembly, Prisma's query compiler and undici's HTTP parser, is no quicker by it (as many creates
 * and grants per second with it as without, within the noise). To be called before Prisma connects: what is compiled already may go on as
 * it began. Both flags, as neither alone is enough on every Node; V8 complains on stderr of one that it does not know.
 */
export function compileWebAssemblyOnce(): void {
  setFlagsFromString('--no-wasm-dynamic-tiering')
  setFlagsFromString('--no-wasm-tier-up')
}
