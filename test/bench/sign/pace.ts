import type { SignInput, SignResult } from './input.ts'

/** Parts per batch: what one request for grants may ask for. */
const batchParts = 100

/** Signs batches of 100 parts for so long; `signBatch` gets the index of the first part and returns one of its URLs. */
export async function signForAWhile(
  { md5s, warmUpMs, workMs }: Pick<SignInput, 'md5s' | 'warmUpMs' | 'workMs'>,
  signBatch: (first: number, count: number) => Promise<string> | string,
): Promise<SignResult> {
  let first = 0
  const signFor = async (ms: number): Promise<SignResult> => {
    const before = process.cpuUsage()
    const until = performance.now() + ms
    let urls = 0
    let url = ''
    // Asking for the processor time each turn would be a fifteenth of the quickest one's.
    while (performance.now() < until) {
      url = await signBatch(first, batchParts)
      first = (first + batchParts) % md5s.length
      urls += batchParts
    }
    const { user, system } = process.cpuUsage(before)
    return { urls, url, cpuSeconds: (user + system) / 1e6 }
  }
  await signFor(warmUpMs)
  return signFor(workMs)
}
