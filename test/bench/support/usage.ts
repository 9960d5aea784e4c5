import { readFileSync, writeFileSync } from 'node:fs'

/** What a process has used. */
export interface Usage {
  /** Processor time of all its threads, user and system. */
  cpuSeconds: number
  /** The most memory it has held at once. */
  peakRssBytes: number
  rssBytes: number
}

/** Of this process, since its start. */
export function ownUsage(): Usage {
  const { user, system } = process.cpuUsage()
  return { cpuSeconds: (user + system) / 1e6, peakRssBytes: peakRss(), rssBytes: process.memoryUsage.rss() }
}

/** The peak counts anew from here on, where the system can do that (Linux). */
export function resetPeakRss(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
  } catch {
    // The peak since the start is an upper bound of what was asked for.
  }
}

/** Not resourceUsage().maxRSS where it can be helped: on Linux a child begins with what its parent held when it forked. */
function peakRss(): number {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
    if (kilobytes) return Number(kilobytes) * 1024
  } catch {
    // No Linux.
  }
  return process.resourceUsage().maxRSS * 1024
}
