import type { SignInput, SignResult } from './input.ts'

/** Parts per batch: what one request for grants may ask for. */
const batchParts = 100

/** Signs batches of 100 parts until so much processor time is used; `signBatch` gets the index of the first part and returns one of its URLs. */
export async function signForAWhile(
  { md5s, warmUpMs, workMs }: Pick<SignInput, 'md5s' | 'warmUpMs' | 'workMs'>,
  signBatch: (first: number, count: number) => Promise<string> | string,
): Promise<SignResult> {
  let first = 0
  const signFor = async (cpuMs: number): Promise<SignResult> => {
    const before = process.cpuUsage()
    const cpuSeconds = () => {
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1e6
    }
    let urls = 0
    let url = ''
    while (cpuSeconds() * 1000 < cpuMs) {
      url = await signBatch(first, batchParts)
      first = (first + batchParts) % md5s.length
      urls += batchParts
    }
    return { urls, url, cpuSeconds: cpuSeconds() }
  }
  await signFor(warmUpMs)
  return signFor(workMs)
}
