import { type FolderFile, filesOfDrop, filesOfInput } from '@partway/client/queue'
import { element } from '../shared/element.ts'
import type { KeptFile } from './kept-files.ts'

/** A file the user gave, and where possible a way back to it after a reload. */
export interface ChosenFile extends FolderFile {
  kept?: KeptFile | undefined
}

/** Folders may hold very many files: so many are added at once, and the page lives in between. */
const batchSize = 50

/** Buttons and dropping. `onFiles` gets files as they are found; `onUnreadable` those of a folder that cannot be read. */
export function offerToChoose(
  root: HTMLElement,
  { onFiles, onUnreadable }: { onFiles: (files: ChosenFile[]) => void; onUnreadable: (path: string) => void },
): void {
  const files = element(root, '#files', HTMLInputElement)
  const folder = element(root, '#folder', HTMLInputElement)
  const folderButton = element(root, '#choose-folder', HTMLButtonElement)

  for (const input of [files, folder]) {
    input.addEventListener('change', () => {
      onFiles(filesOfInput(input.files ?? []))
      // So that the same files can be chosen again.
      input.value = ''
    })
  }
  element(root, '#choose-files', HTMLButtonElement).addEventListener('click', async () => {
    if (!window.showOpenFilePicker) return files.click()
    onFiles(await pickWithHandles(true))
  })
  folderButton.addEventListener('click', () => folder.click())
  folderButton.hidden = !('webkitdirectory' in folder)

  let depth = 0
  const isOfFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true
  const mark = (by: number) => {
    depth = Math.max(0, depth + by)
    document.body.classList.toggle('over', depth > 0)
  }
  addEventListener('dragenter', (event) => isOfFiles(event) && !root.hidden && mark(1))
  addEventListener('dragleave', (event) => isOfFiles(event) && mark(-1))
  addEventListener('dragover', (event) => {
    if (isOfFiles(event)) event.preventDefault()
  })
  addEventListener('drop', (event) => {
    if (!event.dataTransfer || !isOfFiles(event)) return
    // Also when nobody is signed in: the browser would leave the page to show the file.
    event.preventDefault()
    mark(-depth)
    if (root.hidden) return
    const handles = handlesOf(event.dataTransfer)
    const found = filesOfDrop(event.dataTransfer, { onError: ({ path }) => onUnreadable(path) })
    void addInBatches(found, handles, onFiles)
  })
}

/** One file by the browser's dialog. Undefined when the user thinks better of it. Call it in a click. */
export async function chooseOne(): Promise<ChosenFile | undefined> {
  if (window.showOpenFilePicker) return (await pickWithHandles(false))[0]
  const input = document.createElement('input')
  input.type = 'file'
  return new Promise((resolve) => {
    input.addEventListener('change', () => resolve(filesOfInput(input.files ?? [])[0]))
    input.addEventListener('cancel', () => resolve(undefined))
    input.click()
  })
}

/** Empty when the user thinks better of it. */
async function pickWithHandles(multiple: boolean): Promise<ChosenFile[]> {
  try {
    const handles = (await window.showOpenFilePicker?.({ multiple })) ?? []
    return await Promise.all(
      handles.map(async (handle) => {
        const source = await handle.getFile()
        return { source, fileName: source.name, kept: { handle, path: [] } }
      }),
    )
  } catch {
    return []
  }
}

async function addInBatches(
  found: AsyncIterable<FolderFile>,
  handles: Promise<ReadonlyMap<string, KeptFile['handle']>>,
  onFiles: (files: ChosenFile[]) => void,
) {
  const byName = await handles
  let batch: ChosenFile[] = []
  for await (const file of found) {
    const [top = '', ...path] = file.fileName.split('/')
    const handle = byName.get(top)
    batch.push({ ...file, kept: handle && { handle, path } })
    if (batch.length < batchSize) continue
    onFiles(batch)
    batch = []
  }
  if (batch.length > 0) onFiles(batch)
}

/** What was dropped, by name; asked in the drop handler itself, while the browser still shows it. */
async function handlesOf(dropped: DataTransfer): Promise<ReadonlyMap<string, KeptFile['handle']>> {
  const asked = Array.from(dropped.items, (item) => item.getAsFileSystemHandle?.().catch(() => null))
  const handles = new Map<string, KeptFile['handle']>()
  for (const handle of await Promise.all(asked)) {
    if (!handle) continue
    // Of two with one name, dropped from different places, nobody could tell which is which.
    if (handles.has(handle.name)) handles.delete(handle.name)
    else handles.set(handle.name, handle)
  }
  return handles
}
