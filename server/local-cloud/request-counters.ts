/** How often each operation was asked for: what tests of call counts and the control port read. */
export interface RequestCounters {
  /** Requests received for a verb, or all of them. */
  count(verb?: string): number
  /** Requests of a verb that were answered with a status; 0 = cut before an answer. */
  countAnswered(verb: string, status: number): number
  all(): Record<string, number>
  /** Answers by verb and status: `ListParts 404`. */
  allAnswered(): Record<string, number>
  reset(): void
  received(verb: string): void
  answered(verb: string, status: number): void
}

export function createRequestCounters(): RequestCounters {
  const byVerb = new Map<string, number>()
  const byAnswer = new Map<string, number>()
  const add = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1)
  return {
    count: (verb) =>
      verb === undefined ? [...byVerb.values()].reduce((sum, n) => sum + n, 0) : (byVerb.get(verb) ?? 0),
    countAnswered: (verb, status) => byAnswer.get(`${verb} ${status}`) ?? 0,
    all: () => Object.fromEntries(byVerb),
    allAnswered: () => Object.fromEntries(byAnswer),
    reset() {
      byVerb.clear()
      byAnswer.clear()
    },
    received: (verb) => add(byVerb, verb),
    answered: (verb, status) => add(byAnswer, `${verb} ${status}`),
  }
}
