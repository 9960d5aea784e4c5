import type { Page } from 'playwright-core'
import { watch } from './secret-watch.ts'

/** Looks through what a page shows and keeps: its document, Web Storage and IndexedDB. Nothing where it is closed or has crashed. */
export async function watchPage(page: Page): Promise<void> {
  if (page.isClosed()) return
  const kept = await page.evaluate(readPage).catch(() => null)
  if (kept !== null) watch('the page, or what it keeps', kept)
}

/** Runs in the page. */
async function readPage(): Promise<string> {
  const asPromise = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
  const rows: unknown[] = []
  for (const { name } of await indexedDB.databases()) {
    if (name === undefined) continue
    const database = await asPromise(indexedDB.open(name))
    for (const store of database.objectStoreNames) {
      rows.push(await asPromise(database.transaction(store).objectStore(store).getAll()))
    }
    database.close()
  }
  return JSON.stringify([document.documentElement.outerHTML, { ...localStorage }, { ...sessionStorage }, rows])
}
