import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium } from 'playwright-core'
import { describe } from 'vitest'

const knownPaths = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** Chromium of this machine: CHROMIUM_PATH, or where systems install it. Nothing is ever downloaded. */
export const chromiumPath = (process.env.CHROMIUM_PATH ? [process.env.CHROMIUM_PATH] : knownPaths).find(existsSync)

const launchOptions = {
  executablePath: chromiumPath ?? '',
  headless: true,
  args: [
    // Containers run as root, where Chromium's own sandbox does not start; only this project's pages are opened.
    '--no-sandbox',
    '--disable-gpu',
    // Shared memory is 64 MB in many containers: a page with large buffers would crash.
    '--disable-dev-shm-usage',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
  ],
}

/** `describe` for what needs a browser: skipped with a line where there is none, or failing if REQUIRE_BROWSER=1. */
export function describeInBrowser(name: string, tests: () => void): void {
  if (chromiumPath) return void describe(name, tests)
  if (process.env.REQUIRE_BROWSER === '1') throw new Error('REQUIRE_BROWSER=1, but Chromium is not installed')
  console.log(`skipped, for Chromium is not installed (set CHROMIUM_PATH if it is): ${name}`)
  describe.skip(name, tests)
}

/** A browser with a profile of its own, which goes when it is closed. Each `newContext()` is a separate user. */
export function launchChromium(args: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ ...launchOptions, args: [...launchOptions.args, ...args] })
}

/** A browser whose profile outlives it: what a page stored is there when the same folder is launched again. */
export interface Profile {
  readonly context: BrowserContext
  /** Ends the browser with all its processes at once, as a crash does: no page gets to see it coming. */
  kill(): Promise<void>
  close(): Promise<void>
}

/** Opens the profile in `dir`, which is made if missing, and is the caller's to remove: see {@link makeProfileDir}. */
export async function launchProfile(dir: string, args: readonly string[] = []): Promise<Profile> {
  const context = await chromium.launchPersistentContext(dir, {
    ...launchOptions,
    args: [...launchOptions.args, ...args],
  })
  const pid = await browserPid(context)
  return {
    context,
    async kill() {
      const closed = new Promise<void>((resolve) => context.once('close', () => resolve()))
      // Playwright starts Chromium as the leader of a process group, in which its children are.
      process.kill(-pid, 'SIGKILL')
      await closed
    },
    close: () => context.close(),
  }
}

/** A folder for a profile, and how to remove it again after the last browser on it has ended. */
export async function makeProfileDir(): Promise<{ dir: string; remove(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'partway-profile-'))
  // A killed browser's last helper processes may still write for a moment.
  return { dir, remove: () => rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }) }
}

async function browserPid(context: BrowserContext): Promise<number> {
  const browser = context.browser()
  if (!browser) throw new Error('this context has no browser of its own')
  const session = await browser.newBrowserCDPSession()
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  await session.detach()
  const pid = processInfo.find(({ type }) => type === 'browser')?.id
  if (!pid) throw new Error('Chromium does not say which process it is')
  return pid
}
