/** `work` done on each item, on at most `workers` at once; results in the order of the items. Throws what the first failure throws, and
 *  begins nothing more then. */
export async function mapInParallel<Item, Result>(
  items: readonly Item[],
  workers: number,
  work: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  // One iterator for all workers: each takes the next item that nobody has.
  const left = items.entries()
  let hasFailed = false
  const worker = async () => {
    for (const [index, item] of left) {
      if (hasFailed) return
      try {
        results[index] = await work(item, index)
      } catch (error) {
        hasFailed = true
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(workers, items.length) }, worker))
  return results
}
