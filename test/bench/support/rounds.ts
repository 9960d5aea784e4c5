/** One of those that are compared. */
export interface Contender<Result> {
  name: string
  /** Does the work once and checks it. Rejects when it was not done, or not well. */
  run(): Promise<Result>
}

/** What came of all rounds. A contender that failed in some has fewer results than rounds. */
export interface Outcome<Result> {
  name: string
  results: Result[]
  failures: string[]
}

/**
 * Runs the contenders in turn, A B C A B C …, so that whatever else the machine does hits all alike. The warm-up rounds come first and are
 * not counted: they fill disk caches and start what is lazy. Progress is told on standard error.
 */
export async function inTurn<Result>(
  contenders: readonly Contender<Result>[],
  { rounds, warmUps = 1 }: { rounds: number; warmUps?: number },
): Promise<Outcome<Result>[]> {
  const outcomes = contenders.map(({ name }): Outcome<Result> => ({ name, results: [], failures: [] }))
  for (let round = -warmUps; round < rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      const label = round < 0 ? 'warm-up' : `round ${round + 1} of ${rounds}`
      console.error(`  ${new Date().toISOString().slice(11, 19)} ${label}: ${contender.name}`)
      const outcome = outcomes[index]
      try {
        const result = await contender.run()
        if (round >= 0) outcome?.results.push(result)
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        console.error(`    failed: ${reason}`)
        if (round >= 0) outcome?.failures.push(reason)
      }
    }
  }
  return outcomes
}

/** Why there is no figure, in a few words; empty when no round failed. */
export function failureText({ results, failures }: Pick<Outcome<unknown>, 'results' | 'failures'>): string {
  const [first] = failures
  if (first === undefined) return ''
  const count = results.length === 0 ? 'FAILED' : `failed ${failures.length} of ${failures.length + results.length}`
  return `${count}: ${first.split('\n')[0]?.slice(0, 70)}`
}
