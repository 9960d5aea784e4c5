import { readFile } from 'node:fs/promises'

/* What processes use, as Linux tells it. */

// The kernel's USER_HZ, the same on every platform Linux runs Node on.
const ticksPerSecond = 100

async function field(pid: number, name: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024
}

export const rssBytes = (pid: number) => field(pid, 'VmRSS')
/** The most it ever was. */
export const peakRssBytes = (pid: number) => field(pid, 'VmHWM')

/** Processor time used so far, in user and kernel mode. */
export async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1000
}

export const ofAll = (pids: readonly number[], measure: (pid: number) => Promise<number>) =>
  Promise.all(pids.map(measure))
