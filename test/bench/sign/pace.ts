import type { SignInput, SignResult } from './input.ts'

/** Parts per batch: what one request for grants may ask for. */
const batchParts = 100

/** Signs batches of 100 parts until the time is over; `signBatch` gets the index of the first part and returns one of its URLs. */
export async function signForAWhile(
  { md5s, warmUpMs, workMs }: Pick<SignInput, 'md5s' | 'warmUpMs' | 'workMs'>,
  signBatch: (first: number, count: number) => Promise<string> | string,
): Promise<SignResult> {
  let first = 0
  const signUntil = async (endsAt: number) => {
    let urls = 0
    let url = ''
    while (performance.now() < endsAt) {
      url = await signBatch(first, batchParts)
      first = (first + batchParts) % md5s.length
      urls += batchParts
    }
    return { urls, url }
  }
  await signUntil(performance.now() + warmUpMs)
  const before = process.cpuUsage()
  const counted = await signUntil(performance.now() + workMs)
  const { user, system } = process.cpuUsage(before)
  return { ...counted, cpuSeconds: (user + system) / 1e6 }
}
