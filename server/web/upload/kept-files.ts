/** A way back to a file after the page was reloaded: its handle, or its folder's and the names from there on. */
export interface KeptFile {
  handle: FileSystemFileHandle | FileSystemDirectoryHandle
  path: string[]
}

/** Where the browser keeps such handles, by the id of the upload they belong to. Nothing of it ever throws: what is lost is chosen again. */
export interface KeptFiles {
  keep(uploadId: string, file: KeptFile): Promise<void>
  find(uploadId: string): Promise<KeptFile | undefined>
  forget(uploadId: string): Promise<void>
  /** Forgets those that are not wanted. */
  retain(isWanted: (uploadId: string) => boolean): Promise<void>
}

const storeName = 'files'

/** In IndexedDB, which alone can hold handles. */
export function createKeptFiles(): KeptFiles {
  let opened: Promise<IDBDatabase> | undefined
  const open = () => {
    opened ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open('partway-page', 1)
      request.onupgradeneeded = () => request.result.createObjectStore(storeName)
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
    return opened
  }
  async function ask<Result>(
    mode: IDBTransactionMode,
    question: (store: IDBObjectStore) => IDBRequest<Result>,
  ): Promise<Result | undefined> {
    try {
      const store = (await open()).transaction(storeName, mode).objectStore(storeName)
      return await new Promise<Result>((resolve, reject) => {
        const request = question(store)
        request.onsuccess = () => resolve(request.result)
        request.onerror = () => reject(request.error)
      })
    } catch {
      return undefined
    }
  }
  const forget = async (uploadId: string) => {
    await ask('readwrite', (store) => store.delete(uploadId))
  }
  return {
    async keep(uploadId, file) {
      await ask('readwrite', (store) => store.put(file, uploadId))
    },
    find: (uploadId) => ask<KeptFile>('readonly', (store) => store.get(uploadId)),
    forget,
    async retain(isWanted) {
      const known = (await ask('readonly', (store) => store.getAllKeys())) ?? []
      for (const id of known) if (!isWanted(String(id))) await forget(String(id))
    },
  }
}

/**
 * The file behind a handle. Asks the user for permission where the browser wants that, so call it in a click. Undefined when it was refused,
 * or the file is gone.
 */
export async function openKept({ handle, path }: KeptFile): Promise<File | undefined> {
  try {
    const mode = { mode: 'read' } as const
    if (
      (await handle.queryPermission?.(mode)) !== 'granted' &&
      (await handle.requestPermission?.(mode)) !== 'granted'
    ) {
      return undefined
    }
    if ('getFile' in handle) return await handle.getFile()
    let folder = handle
    for (const name of path.slice(0, -1)) folder = await folder.getDirectoryHandle(name)
    return await (await folder.getFileHandle(path.at(-1) ?? '')).getFile()
  } catch {
    return undefined
  }
}
