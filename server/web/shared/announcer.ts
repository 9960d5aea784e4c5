import { setText } from './element.ts'

/** Tells screen readers what happened, sparingly: whatever comes close together is said at once, and equal things are counted. */
export interface Announcer {
  say(text: string): void
  /** `name` alone, or how many there were when more come at once: `a.jpg is uploaded`, `12 files are uploaded`. */
  sayOfFile(name: string, one: string, many: string): void
}

const gatherMs = 1500

export function createAnnouncer(region: HTMLElement): Announcer {
  const sentences = new Set<string>()
  const files = new Map<string, { names: string[]; one: string }>()
  let isDue = false

  function speak() {
    isDue = false
    const counted = [...files].map(([many, { names, one }]) =>
      names.length === 1 ? `${names[0]} ${one}` : `${names.length} files ${many}`,
    )
    setText(region, [...counted, ...sentences].map((sentence) => `${sentence}.`).join(' '))
    files.clear()
    sentences.clear()
  }

  function speakSoon() {
    if (isDue) return
    isDue = true
    setTimeout(speak, gatherMs)
  }

  return {
    say(text) {
      sentences.add(text)
      speakSoon()
    },
    sayOfFile(name, one, many) {
      const seen = files.get(many) ?? { names: [], one }
      seen.names.push(name)
      files.set(many, seen)
      speakSoon()
    },
  }
}
