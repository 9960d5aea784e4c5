import { setFlagsFromString } from 'node:v8'

/**
 * Keeps V8 from compiling WebAssembly a second time, with its optimizing compiler. Prisma's query compiler becomes no quicker by that (as many
 * requests per second with it as without, within the noise), and what the optimizer works in, some 15 to 30 MB, stays with the process.
 * To be called before anything is compiled. V8 knows the flag "for testing"; one that it does not know is only complained about on stderr.
 */
export function compileWebAssemblyOnce(): void {
  setFlagsFromString('--liftoff-only')
}
