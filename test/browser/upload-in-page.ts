import type { UploadOptions, UploadResult, UploadTask } from '@partway/client'
import type { Page } from 'playwright-core'

declare global {
  interface Window {
    /** The upload the test has started in this page. */
    task: UploadTask
    states: string[]
  }
}

export interface UploadInPage {
  baseUrl: string
  token: string
  /** What can be sent to a page: no functions. */
  options?: Pick<
    UploadOptions,
    'mode' | 'parallel' | 'partSizeBytes' | 'stallTimeoutMs' | 'retry' | 'deleteUploadOnCancelling'
  >
}

/** Chooses the file at `path` in the page and begins to upload it, as a user would, there or again after a reload. */
export async function uploadInPage(page: Page, path: string, upload: UploadInPage): Promise<void> {
  await page.setInputFiles('#files', path)
  await page.evaluate(({ baseUrl, token, options }) => {
    const file = document.querySelector<HTMLInputElement>('#files')?.files?.[0]
    if (!file) throw new Error('no file was chosen')
    window.states = []
    const client = window.partway.createUploadClient({ baseUrl, token: () => token })
    window.task = client.upload(file, { ...options, onStateChange: (state) => window.states.push(state) })
  }, upload)
}

/** What the upload ends with; what it fails with, as `code: message`. */
export function resultInPage(page: Page): Promise<UploadResult> {
  return page.evaluate(() =>
    window.task.done.catch((error) => {
      throw new Error(`${error.code}: ${error.message}`)
    }),
  )
}

/** Waits until the upload in the page has come so far. */
export async function untilBytes(page: Page, bytes: number): Promise<void> {
  await page.waitForFunction((wanted) => window.task.progress.currentBytes >= wanted, bytes, { polling: 20 })
}

export async function untilState(page: Page, state: string): Promise<void> {
  await page.waitForFunction((wanted) => window.task.state === wanted, state, { polling: 20 })
}

/** Waits until so many parts are stored, as far as the page knows. */
export async function untilParts(page: Page, count: number): Promise<void> {
  const isReached = (wanted: number) => {
    const { parts } = window.task
    const numbers = Array.from({ length: parts?.plan.partCount ?? 0 }, (_, index) => index + 1)
    return numbers.filter((number) => parts?.isStored(number)).length >= wanted
  }
  await page.waitForFunction(isReached, count, { polling: 20 })
}
