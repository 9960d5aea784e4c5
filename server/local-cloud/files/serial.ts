/** Runs tasks of the same name one after the other, tasks of different names side by side. A task's failure is its caller's
 *  alone. */
export type Serial = <T>(name: string, task: () => Promise<T>) => Promise<T>

export function createSerial(): Serial {
  const tails = new Map<string, Promise<unknown>>()
  return async (name, task) => {
    const run = (tails.get(name) ?? Promise.resolve()).then(task, task)
    const tail = run.catch(() => undefined)
    tails.set(name, tail)
    try {
      return await run
    } finally {
      if (tails.get(name) === tail) tails.delete(name)
    }
  }
}
