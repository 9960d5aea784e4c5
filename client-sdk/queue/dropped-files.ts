import { safeCallback } from '../safe-callback.ts'

/** A file of a folder, with its path in it as its name. */
export interface FolderFile {
  source: File
  /** `photos/2024/a.jpg`; just `a.jpg` where no folder was chosen. */
  fileName: string
}

/** What is read of an `<input type="file">`'s `files`, or of a plain list of files. */
export function filesOfInput(files: ArrayLike<File>): FolderFile[] {
  return Array.from(files, withPath)
}

/** The parts of a DataTransfer that are read: of its `items` where they are known, else of its `files`. */
export interface DroppedItems {
  readonly items?: ArrayLike<{ getAsFile(): File | null; webkitGetAsEntry?(): unknown }>
  readonly files: ArrayLike<File>
}

/** How dropped files are read. */
export interface DropOptions {
  /** A file or folder that cannot be read, with its path; the others come all the same. By default nobody hears of it. */
  onError?: ((problem: { path: string; error: unknown }) => void) | undefined
}

/**
 * The files that were dropped on a page, those in folders with their path. Call it in the `drop` handler itself, not after an `await`: the
 * browser shows what was dropped only until the handler returns. Folders are then read as the result is, so that nothing waits for the last
 * file of a large one. Never throws while it is read.
 */
export function filesOfDrop(dropped: DroppedItems | null, options: DropOptions = {}): AsyncIterable<FolderFile> {
  const report = safeCallback(options.onError)
  const kept: (FileSystemEntry | FolderFile)[] = []
  for (const item of Array.from(dropped?.items ?? [])) {
    // Dropped text is neither.
    const entry = item.webkitGetAsEntry?.() as FileSystemEntry | null | undefined
    const file = entry ? undefined : item.getAsFile()
    if (entry) kept.push(entry)
    else if (file) kept.push(withPath(file))
  }
  if (kept.length === 0) kept.push(...filesOfInput(dropped?.files ?? []))
  return walk(kept, report)
}

async function* walk(
  entries: readonly (FileSystemEntry | FolderFile)[],
  report: (problem: { path: string; error: unknown }) => void,
): AsyncGenerator<FolderFile> {
  for (const entry of entries) {
    if ('source' in entry) {
      yield entry
      continue
    }
    const path = entry.fullPath.replace(/^\/+/, '') || entry.name
    try {
      if (entry.isFile) yield { source: await fileOf(entry as FileSystemFileEntry), fileName: path }
      else {
        const reader = (entry as FileSystemDirectoryEntry).createReader()
        // A browser gives some at a time, Chromium 100, and none after the last.
        for (let batch = await read(reader); batch.length > 0; batch = await read(reader)) yield* walk(batch, report)
      }
    } catch (error) {
      report({ path, error })
    }
  }
}

const fileOf = (entry: FileSystemFileEntry) => new Promise<File>((resolve, reject) => entry.file(resolve, reject))

const read = (reader: FileSystemDirectoryReader) =>
  new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))

/** A file that was chosen with its folder knows its path. */
const withPath = (file: File): FolderFile => ({ source: file, fileName: file.webkitRelativePath || file.name })
